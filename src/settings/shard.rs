//! `--shard`: which part of a run this process makes.

use std::num::NonZeroUsize;

use super::error::SettingsError;
use super::values::read_from_text;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ShardChoice {
    Given(Shard),
    /// The one of this task of a job array, of so many parts if that was said.
    Auto(Option<NonZeroUsize>),
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Shard {
    /// Counts from 0.
    pub(crate) index: usize,
    /// How many there are.
    pub(crate) count: NonZeroUsize,
}

impl Shard {
    /// `None` where there is no such part.
    fn new(index: usize, count: NonZeroUsize) -> Option<Self> {
        (index < count.get()).then_some(Self { index, count })
    }
}

read_from_text!(ShardChoice: "I/N, the part and how many there are, from 0/N to N-1/N; or auto, or auto/N, in a Slurm or Kubernetes job");

impl ShardChoice {
    fn read(text: &str) -> Option<Self> {
        match text.split_once('/') {
            None => (text == "auto").then_some(Self::Auto(None)),
            Some(("auto", count)) => Some(Self::Auto(Some(count.parse().ok()?))),
            Some((index, count)) => {
                Shard::new(index.parse().ok()?, count.parse().ok()?).map(Self::Given)
            }
        }
    }
}

/// The number of this task, counted from wherever the array begins.
///
/// Source: <https://slurm.schedmd.com/job_array.html>.
const SLURM_ID: &str = "SLURM_ARRAY_TASK_ID";
const SLURM_COUNT: &str = "SLURM_ARRAY_TASK_COUNT";
const SLURM_MIN: &str = "SLURM_ARRAY_TASK_MIN";
const SLURM_MAX: &str = "SLURM_ARRAY_TASK_MAX";
const SLURM_STEP: &str = "SLURM_ARRAY_TASK_STEP";

/// The number of this task, from 0.
///
/// Source: <https://kubernetes.io/docs/concepts/workloads/controllers/job/#completion-mode>.
const KUBERNETES_INDEX: &str = "JOB_COMPLETION_INDEX";

/// Whether this process is a task of a job array, by the variable that says so.
pub(crate) fn array_task(environment: impl Fn(&str) -> Option<String>) -> Option<&'static str> {
    let is_set = |variable: &&str| environment(variable).is_some();
    [SLURM_ID, KUBERNETES_INDEX].into_iter().find(is_set)
}

fn refused(why: &str) -> SettingsError {
    SettingsError::new(format!("--shard auto{why}"))
}

impl ShardChoice {
    /// The part, which the variables of the environment may say.
    pub(crate) fn resolve(
        self,
        environment: impl Fn(&str) -> Option<String>,
    ) -> Result<Shard, SettingsError> {
        let total = match self {
            Self::Given(shard) => return Ok(shard),
            Self::Auto(total) => total,
        };
        let number = |variable: &'static str| {
            let Some(value) = environment(variable) else {
                return Ok(None);
            };
            let parsed = value.trim().parse().map(Some);
            let why = || refused(&format!(": {variable} is {value:?}, expected a number"));
            parsed.map_err(|_| why())
        };
        let variable = array_task(&environment).ok_or_else(|| {
            refused(": neither SLURM_ARRAY_TASK_ID nor JOB_COMPLETION_INDEX is set, so this is no task of a job array: give --shard I/N")
        })?;
        let index = number(variable)?.unwrap_or(0);
        if let Some(count) = total {
            // As in an array of the tasks that have to be repeated.
            let last = count.get() - 1;
            return Shard::new(index, count).ok_or_else(|| {
                refused(&format!("/{count}: {variable} is {index}, and the parts are 0 to {last}: number the tasks from 0, or give --shard I/N"))
            });
        }
        let count = match variable {
            SLURM_ID => number(SLURM_COUNT)?.and_then(NonZeroUsize::new),
            _ => None,
        };
        let count = count.ok_or_else(|| {
            refused(&format!(
                ": {variable} is set, but not how many tasks there are: give --shard auto/N"
            ))
        })?;
        let first = number(SLURM_MIN)?.unwrap_or(0);
        let every = number(SLURM_STEP)?.unwrap_or(1).max(1);
        let last = number(SLURM_MAX)?.unwrap_or(first + (count.get() - 1) * every);
        let is_whole = last.saturating_sub(first) / every + 1 == count.get();
        Shard::new(index.saturating_sub(first) / every, count)
            .filter(|_| is_whole)
            .ok_or_else(|| {
                refused(&format!(": this array of {count} tasks has gaps, so it is a part of another one: give --shard auto/N with the tasks of the whole array (numbered from 0)"))
            })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shard(index: usize, count: usize) -> Shard {
        Shard {
            index,
            count: NonZeroUsize::new(count).unwrap(),
        }
    }

    fn resolve(text: &str, variables: &[(&str, &str)]) -> Result<Shard, String> {
        let choice: ShardChoice = text.parse().unwrap();
        let resolved = choice.resolve(|name| {
            let mut found = variables.iter().filter(|(variable, _)| *variable == name);
            found.next().map(|(_, value)| (*value).to_owned())
        });
        resolved.map_err(|error| error.to_string())
    }

    #[test]
    fn a_part_is_given_from_0() {
        assert_eq!(resolve("0/1", &[]), Ok(shard(0, 1)));
        assert_eq!(resolve("99/100", &[]), Ok(shard(99, 100)));
        for wrong in [
            "",
            "3",
            "/",
            "3/",
            "/4",
            "4/4",
            "0/0",
            "-1/4",
            "1/4/2",
            "a/4",
            "automatic",
            "auto/0",
        ] {
            assert!(wrong.parse::<ShardChoice>().is_err(), "{wrong}");
        }
    }

    #[test]
    fn slurm_says_it() {
        let array = |id, count, first, last, step| {
            resolve(
                "auto",
                &[
                    (SLURM_ID, id),
                    (SLURM_COUNT, count),
                    (SLURM_MIN, first),
                    (SLURM_MAX, last),
                    (SLURM_STEP, step),
                ],
            )
        };
        assert_eq!(array("7", "100", "0", "99", "1"), Ok(shard(7, 100)));
        assert_eq!(array("100", "100", "1", "100", "1"), Ok(shard(99, 100)));
        assert_eq!(array("14", "5", "10", "18", "2"), Ok(shard(2, 5)));
        // sbatch --array=3,7
        let gaps = array("7", "2", "3", "7", "1").unwrap_err();
        assert!(gaps.contains("auto/N"), "{gaps}");
        assert_eq!(
            resolve("auto/100", &[(SLURM_ID, "7"), (SLURM_COUNT, "2")]),
            Ok(shard(7, 100))
        );
        assert_eq!(
            resolve("auto", &[(SLURM_ID, "1"), (SLURM_COUNT, "4")]),
            Ok(shard(1, 4))
        );
    }

    #[test]
    fn kubernetes_says_which_but_not_how_many() {
        let index = [(KUBERNETES_INDEX, "3")];
        assert_eq!(resolve("auto/4", &index), Ok(shard(3, 4)));
        let variable = KUBERNETES_INDEX;
        assert_eq!(
            resolve("auto", &index).unwrap_err(),
            format!(
                "--shard auto: {variable} is set, but not how many tasks there are: give --shard auto/N"
            )
        );
        let outside = resolve("auto/3", &index).unwrap_err();
        assert!(outside.contains("JOB_COMPLETION_INDEX is 3"), "{outside}");
        assert!(outside.contains("0 to 2"), "{outside}");
    }

    #[test]
    fn nobody_says_it() {
        let no_task = resolve("auto", &[]).unwrap_err();
        assert!(no_task.contains("is set, so this is no task"), "{no_task}");
        let no_number = resolve("auto/4", &[(SLURM_ID, "x")]).unwrap_err();
        assert_eq!(
            no_number,
            "--shard auto: SLURM_ARRAY_TASK_ID is \"x\", expected a number"
        );
    }
}
