//! "Did you mean": the known name nearest to a misspelt one.

/// The candidate that `name` most likely stands for, if one is near enough.
///
/// Near is a Damerau-Levenshtein distance of at most a third of the name's length, so that short names are not
/// "corrected" into unrelated ones.
pub fn did_you_mean<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let limit = (name.chars().count() / 3).clamp(1, 4);
    candidates
        .into_iter()
        .map(|candidate| (strsim::damerau_levenshtein(name, candidate), candidate))
        .filter(|(distance, _)| *distance <= limit)
        .min_by_key(|(distance, _)| *distance)
        .map(|(_, candidate)| candidate)
}

/// The ending of an error message: `` (did you mean `x`?)``, or nothing.
pub fn suggestion<'a>(name: &str, candidates: impl IntoIterator<Item = &'a str>) -> String {
    did_you_mean(name, candidates).map_or_else(String::new, |known| format!(" (did you mean `{known}`?)"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn suggests_the_near_and_keeps_silent_about_the_far() {
        let known = ["channel", "language", "amount"];
        assert_eq!(did_you_mean("langauge", known), Some("language"));
        assert_eq!(did_you_mean("chanel", known), Some("channel"));
        assert_eq!(did_you_mean("subject", known), None);
        assert_eq!(suggestion("amuont", known), " (did you mean `amount`?)");
    }
}
