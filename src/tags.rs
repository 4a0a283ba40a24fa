//! The groups of tags that a run writes: what stands before the first `/`, or the whole tag.

/// All of them. An image's name is a group as well (`NAME/05_conv2_1`), so none of these is one.
pub(crate) const GROUPS: &[&str] = &[
    "change",
    "checkpoint",
    "compare",
    "config",
    "evolution",
    "feature_maps",
    "gradients",
    "health",
    "image",
    "input",
    "kernels",
    "misclassified",
    "range",
    "similarity",
    "summary",
    "timings",
    "train",
    "val",
    "weight_change",
    "weights",
];

#[cfg(test)]
mod tests {
    use super::*;
    use regex::Regex;
    use std::fs;
    use walkdir::WalkDir;

    #[test]
    fn every_tag_of_the_source_is_of_a_group() {
        // `format!("health/{layer}")`, and what a step is given by name.
        let made = r#""([a-z_]+)/\{|\.(?:text|image|scalar|describe)\(\s*"([a-z_]+)"#;
        let made = Regex::new(made).unwrap();
        let source = concat!(env!("CARGO_MANIFEST_DIR"), "/src");
        let mut count = 0;
        for file in WalkDir::new(source) {
            let path = file.unwrap().into_path();
            let name = path.strip_prefix(source).unwrap().display().to_string();
            // The graph's nodes are no tags.
            if path.extension().is_none_or(|ending| ending != "rs")
                || name.contains("tests")
                || name == "train/graph.rs"
            {
                continue;
            }
            let text = fs::read_to_string(&path).unwrap();
            for (_, [group]) in made.captures_iter(&text).map(|found| found.extract()) {
                assert!(
                    GROUPS.contains(&group),
                    "{name}: {group} is not in the table"
                );
                count += 1;
            }
        }
        assert!(count > 20, "only {count} tags are found");
    }
}
