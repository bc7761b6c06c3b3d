//! Excel workbooks, written by another library.

use rust_xlsxwriter::{ExcelDateTime, Format, Formula, Workbook as Written};

use super::listed;
use crate::interchange::{Workbook, Zone};

fn read(book: &mut Written, table: &str, zone: Option<&str>) -> Result<String, String> {
    let zone: Option<Zone> = zone.map(|zone| zone.parse().unwrap());
    let mut book = Workbook::open(book.save_to_buffer().unwrap()).map_err(|faults| listed(&faults))?;
    book.read(table, zone.as_ref()).map_err(|faults| listed(&faults))
}

fn header(book: &mut Written) -> &mut rust_xlsxwriter::Worksheet {
    let sheet = book.add_worksheet().set_name("Rules").unwrap();
    for (column, name) in (0..).zip(["id", "in:event.amount", "in:customer.vip", "in:event.at", "out:queue", "note"]) {
        sheet.write(0, column, name).unwrap();
    }
    sheet
}

#[test]
fn values_are_rendered_as_our_cells_write_them() {
    let mut book = Written::new();
    let sheet = header(&mut book);
    let date = Format::new().set_num_format("yyyy-mm-dd hh:mm");
    let length = Format::new().set_num_format("[h]:mm");
    sheet.write(1, 0, "a").unwrap();
    sheet.write(1, 1, 10).unwrap();
    sheet.write(1, 2, true).unwrap();
    sheet
        .write_with_format(1, 3, ExcelDateTime::from_ymd(2026, 1, 31).unwrap().and_hms(10, 30, 0).unwrap(), &date)
        .unwrap();
    sheet.write(1, 4, "billing").unwrap();
    sheet.write(1, 5, "a note, with a comma").unwrap();
    sheet.write(2, 1, 0.25).unwrap();
    sheet.write(2, 4, 7).unwrap();
    // An empty row is no row.
    sheet.write(4, 1, "[10..20)").unwrap();
    sheet.write_formula(4, 2, Formula::new("=1=2").set_result("FALSE")).unwrap();
    sheet.write_with_format(4, 3, 1.0625, &length).unwrap();
    sheet.write(4, 4, "=customer.vip ? 2 : 4").unwrap();
    insta::assert_snapshot!(read(&mut book, "Rules", Some("+01:00")).unwrap());
}

#[test]
fn when_a_row_is_in_force_comes_along() {
    let mut book = Written::new();
    let sheet = book.add_worksheet().set_name("Rules").unwrap();
    let date = Format::new().set_num_format("yyyy-mm-dd");
    for (column, name) in (0..).zip(["in:event.a", "out:b", "enabled", "valid_from", "valid_until"]) {
        sheet.write(0, column, name).unwrap();
    }
    sheet.write(1, 0, 1).unwrap();
    sheet.write(1, 1, 2).unwrap();
    sheet.write(1, 2, false).unwrap();
    sheet.write_with_format(1, 3, ExcelDateTime::from_ymd(2026, 1, 31).unwrap(), &date).unwrap();
    sheet.write(1, 4, "2026-03-01T00:00:00Z").unwrap();
    assert_eq!(
        read(&mut book, "Rules", Some("Z")).unwrap(),
        "in:event.a,out:b,enabled,valid_from,valid_until\n1,2,false,2026-01-31T00:00:00Z,2026-03-01T00:00:00Z\n"
    );
}

#[test]
fn a_value_without_a_form_of_ours_is_named_by_its_cell() {
    let mut book = Written::new();
    let sheet = header(&mut book);
    let date = Format::new().set_num_format("yyyy-mm-dd");
    let clock = Format::new().set_num_format("hh:mm");
    sheet.write(1, 1, 1.0 / 3.0).unwrap();
    sheet.write_with_format(1, 3, ExcelDateTime::from_ymd(2026, 1, 31).unwrap(), &date).unwrap();
    sheet.write_with_format(2, 3, 0.5, &clock).unwrap();
    sheet.write_formula(2, 1, Formula::new("=1/0").set_result("#DIV/0!")).unwrap();
    sheet.write(2, 4, "x").unwrap();
    sheet.write(2, 8, "beside").unwrap();
    sheet.merge_range(3, 1, 5, 1, "5", &Format::new()).unwrap();
    insta::assert_snapshot!(read(&mut book, "Rules", None).unwrap_err());
}

#[test]
fn a_worksheet_that_is_no_table_of_ours_says_what_is_missing() {
    let mut book = Written::new();
    let sheet = book.add_worksheet();
    sheet.write(0, 0, "Customer").unwrap();
    sheet.write(0, 2, "out:queue").unwrap();
    sheet.write(1, 0, "x").unwrap();
    let other = book.add_worksheet();
    other.write(0, 0, "in:event.a").unwrap();
    other.write(1, 0, 5).unwrap();
    book.add_worksheet();
    let faults = ["Sheet1", "Sheet2", "Sheet3", "Sheet4"].map(|name| read(&mut book, name, None).unwrap_err());
    insta::assert_snapshot!(faults.join("\n\n"));
    let no_book = Workbook::open(b"in:event.a,out:b".to_vec()).err().map(|faults| listed(&faults));
    assert!(no_book.is_some_and(|fault| fault.starts_with("not readable as an Excel workbook (.xlsx): ")));
}
