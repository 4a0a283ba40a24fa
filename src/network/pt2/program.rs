//! What is known of an exported network without its parameters.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};

use super::error::{ProgramError, Pt2Error};
use super::graph::{Graph, Stored};
use super::layers::{ShownLayer, last_of_each_resolution, layers};
use super::run::Plan;
use super::schema;
use super::size::Size;
use crate::network::{Architecture, InputError, Layer};
use crate::one_line::listed;
use crate::weights::{WeightsError, WeightsFile, exported_graph, sha256};

/// The major version of the schema that is read: that of torch 2.5 and newer.
const SCHEMA: u64 = 8;

/// A network that `torch.export` wrote.
#[derive(Debug)]
pub(crate) struct Program {
    pub(super) path: PathBuf,
    /// The file's name without its ending.
    name: String,
    torch: Option<String>,
    hash: String,
    pub(super) graph: Graph,
    pub(super) shown: Vec<ShownLayer>,
}

impl Program {
    /// Reads the graph of a file; no tensor is read.
    pub(crate) fn open(path: &Path) -> Result<Self, ProgramError> {
        let json = exported_graph(path)?;
        Self::of(path, &json).map_err(|source| ProgramError::Graph {
            path: path.to_owned(),
            source,
        })
    }

    pub(super) fn of(path: &Path, json: &[u8]) -> Result<Self, Pt2Error> {
        let program: Version = parsed(json)?;
        if program.schema_version.major != SCHEMA {
            return Err(Pt2Error::Schema {
                found: program.schema_version.major,
                torch: program.torch_version,
            });
        }
        let program: schema::Program = parsed(json)?;
        let graph = Graph::new(&program.graph_module)?;
        let shown = layers(&graph);
        if shown.is_empty() {
            return Err(Pt2Error::NoMaps);
        }
        let name = path.file_stem().unwrap_or_default();
        Ok(Self {
            path: path.to_owned(),
            name: name.to_string_lossy().into_owned(),
            torch: program.torch_version,
            hash: sha256(&mut &json[..]).unwrap_or_default(),
            graph,
            shown,
        })
    }

    pub(crate) fn notes(&self) -> Vec<String> {
        let torch = self.torch.iter();
        let torch = torch.map(|torch| format!("exported by torch {torch}"));
        torch.chain(self.unknown_note()).collect()
    }

    /// Which operations are not known, and what can be shown without them.
    pub(crate) fn unknown_note(&self) -> Option<String> {
        let mut unknown: BTreeMap<&str, usize> = BTreeMap::new();
        for node in self.graph.nodes.iter().filter(|node| node.run.is_none()) {
            *unknown.entry(&node.operation).or_default() += 1;
        }
        if unknown.is_empty() {
            return None;
        }
        let known = self.graph.known();
        let shown = self.shown.iter().filter(|of| known[of.node]);
        let shown: Vec<&ShownLayer> = shown.collect();
        let last = shown.last().map_or("none", |of| of.layer.name());
        let times = |(name, count): (&&str, &usize)| match count {
            1 => (*name).to_owned(),
            count => format!("{name} ({count} times)"),
        };
        Some(format!(
            "not known: {}; without it {} of {} layers can be shown, up to {last}",
            listed(unknown.iter().map(times), ", ", 8),
            shown.len(),
            self.shown.len(),
        ))
    }

    /// The names of its parameters and running statistics in a state dict.
    pub(crate) fn names(&self) -> HashSet<&str> {
        let saved = self.graph.stored.iter().filter(|stored| stored.is_saved);
        saved.map(|stored| stored.name.as_str()).collect()
    }

    /// The tensors of a file, by the names of this network.
    pub(crate) fn weights(
        &self,
        path: &Path,
        key: Option<&str>,
    ) -> Result<WeightsFile, WeightsError> {
        WeightsFile::open_named(path, key, &self.names())
    }

    pub(super) fn plan(&self, wanted: &[Layer]) -> Result<Plan, ProgramError> {
        let plan = Plan::new(&self.graph, &self.shown_of(wanted), &self.shown);
        plan.map_err(|source| self.failed(source))
    }

    pub(super) fn failed(&self, source: Pt2Error) -> ProgramError {
        let path = self.path.clone();
        ProgramError::Graph { path, source }
    }

    pub(super) fn shown_of(&self, wanted: &[Layer]) -> Vec<&ShownLayer> {
        let shown = self.shown.iter();
        shown.filter(|of| wanted.contains(&of.layer)).collect()
    }

    /// What is stored that nodes of the graph need, in the order in which it is used.
    pub(super) fn stored_for(&self, nodes: &[usize]) -> Vec<&Stored> {
        let needed = self.graph.needed(nodes);
        let nodes = self.graph.nodes.iter().zip(needed);
        let nodes = nodes.filter(|(_, is_needed)| *is_needed);
        let stored = self.graph.stored.iter();
        // Each once.
        let mut left: HashMap<_, _> = stored.map(|stored| (stored.place, stored)).collect();
        let places = nodes.flat_map(|(node, _)| node.needs());
        places.filter_map(|place| left.remove(&place)).collect()
    }
}

/// What says how the rest is to be read.
#[derive(serde::Deserialize)]
struct Version {
    schema_version: schema::Version,
    torch_version: Option<String>,
}

fn parsed<T: serde::de::DeserializeOwned>(json: &[u8]) -> Result<T, Pt2Error> {
    serde_json::from_slice(json).map_err(|error| Pt2Error::Graph(error.to_string()))
}

impl Architecture for Program {
    fn name(&self) -> String {
        self.name.clone()
    }

    fn layers(&self) -> Vec<Layer> {
        self.shown.iter().map(|of| of.layer.clone()).collect()
    }

    fn default_layers(&self) -> Vec<Layer> {
        let known = self.graph.known();
        last_of_each_resolution(self.shown.iter().filter(|of| known[of.node]))
    }

    fn hash(&self) -> Option<String> {
        Some(self.hash.clone())
    }

    fn input_channels(&self) -> usize {
        self.graph.image[1].example()
    }

    fn input_size(&self) -> Option<[usize; 2]> {
        let [_, _, height, width] = &self.graph.image;
        Some([height, width].map(Size::example))
    }

    fn output_shapes(
        &self,
        wanted: &[Layer],
        size: [usize; 2],
    ) -> Result<Vec<[usize; 3]>, InputError> {
        let [height, width] = size;
        let [_, _, down, across] = &self.graph.image;
        let is_other = |(of, size): (&Size, usize)| !of.is_free() && of.example() != size;
        if [(down, height), (across, width)].into_iter().any(is_other) {
            let takes = self.input_size().unwrap_or_default();
            return Err(InputError::Other { size, takes });
        }
        let symbols = [(down, height), (across, width)].into_iter();
        let symbols = symbols.filter_map(|(of, size)| Some((of.symbol()?, size)));
        let symbols: HashMap<&str, usize> = symbols.collect();
        let shape_of = |of: &ShownLayer| {
            let shape = of.shape.each_ref().map(|size| size.at(&symbols));
            if shape.contains(&0) {
                return Err(InputError::TooSmall {
                    height,
                    width,
                    layer: of.layer.name().to_owned(),
                });
            }
            Ok(shape)
        };
        self.shown_of(wanted).into_iter().map(shape_of).collect()
    }

    fn parameter_names(&self, wanted: &[Layer]) -> Vec<(String, String)> {
        let nodes: Vec<usize> = self.shown_of(wanted).iter().map(|of| of.node).collect();
        let stored = self.stored_for(&nodes).into_iter();
        let saved = stored.filter(|stored| stored.is_saved && !stored.is_integer);
        let named = saved.map(|stored| {
            let module = stored.name.rsplit_once('.').unwrap_or_default().0;
            (module.to_owned(), stored.name.clone())
        });
        named.collect()
    }
}
