"use strict";
// Shows the numbers under the pointer. They are taken from the table below the chart, so without this nothing is missing.
for (const canvas of document.querySelectorAll(".canvas")) {
  const table = canvas.parentNode.querySelector(".numbers");
  const names = Array.from(table.tHead.rows[0].cells, cell => cell.textContent);
  const rows = Array.from(table.tBodies[0].rows, row => ({ at: Number(row.dataset.at), cells: row.cells }));
  let tip = null;
  const hide = () => {
    if (tip !== null) { tip.remove(); tip = null; }
    canvas.querySelectorAll(".cross").forEach(cross => { cross.style.visibility = "hidden"; });
  };
  const show = event => {
    const svg = event.currentTarget;
    const box = svg.getBoundingClientRect();
    const scale = svg.viewBox.baseVal.width / box.width;
    const left = Number(svg.dataset.left);
    const across = Number(svg.dataset.across);
    const at = ((event.clientX - box.left) * scale - left) / across;
    if (rows.length === 0) { return; }
    const row = rows.reduce((best, one) => Math.abs(best.at - at) > Math.abs(one.at - at) ? one : best);
    const x = left + row.at * across;
    const cross = svg.querySelector(".cross");
    cross.setAttribute("x1", x);
    cross.setAttribute("x2", x);
    cross.style.visibility = "visible";
    if (tip === null) { tip = canvas.appendChild(document.createElement("div")); tip.className = "tip"; }
    tip.textContent = names.map((name, nth) => (nth === 0 ? "" : name + "  ") + row.cells[nth].textContent).join("\n");
    const middle = x / scale;
    const room = box.width - tip.offsetWidth;
    const beside = box.width / 2 > middle ? middle + 12 : middle - 12 - tip.offsetWidth;
    tip.style.left = Math.max(0, Math.min(room, beside)) + "px";
  };
  for (const svg of canvas.querySelectorAll(".chart")) {
    svg.addEventListener("pointermove", show);
    svg.addEventListener("pointerdown", show);
    svg.addEventListener("pointerleave", hide);
  }
}
