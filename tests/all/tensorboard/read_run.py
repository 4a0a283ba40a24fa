"""What the real TensorBoard makes of a log folder, as JSON.

    python read_run.py LOGDIR              # needs: tensorboard pillow
    python read_run.py --watch LOGDIR      # and again, by the same readers, at each line of standard input

Asks both of TensorBoard's data providers: the data server in Rust ("fast", what `tensorboard` starts)
and the event multiplexer in Python ("slow"). For each, every tag of a run with its steps; for images
also the size and mode of each decoded picture, and the description. Beside them what the Graphs and
HParams tabs make of it.
"""
import io
import json
import sys
import time

from google.protobuf import text_format
from PIL import Image
from tensorboard import context
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.compat.proto import graph_pb2
from tensorboard.data import provider, server_ingester
from tensorboard.plugins import base_plugin
from tensorboard.plugins.graph import graphs_plugin
from tensorboard.plugins.hparams import api_pb2, backend_context, get_experiment, list_session_groups
from tensorboard.util import grpc_util

MANY = 1_000_000
PLUGINS = ("images", "scalars", "text", "histograms", "graphs", "hparams")
SAMPLES = {name: MANY for name in PLUGINS}
CTX = context.RequestContext()
ALL = dict(experiment_id="", run_tag_filter=provider.RunTagFilter())


def slow(logdir):
    multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance=SAMPLES)
    multiplexer.AddRunsFromDirectory(logdir)
    return multiplexer, data_provider.MultiplexerDataProvider(multiplexer, logdir)


def fast(logdir, watch):
    ingester = server_ingester.SubprocessServerDataIngester(
        server_ingester.get_server_binary(),
        logdir,
        reload_interval=1 if watch else 0,
        channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
        samples_per_plugin=SAMPLES,
    )
    ingester.start()
    return ingester


def settled(source, before):
    # The server loads in the background and does not say when it is done.
    last = None
    for _ in range(100):
        seen = read(source)
        if seen == last and any(seen.values()) and seen != before:
            return seen
        last = seen
        time.sleep(0.3)
    sys.exit("the data server shows nothing new")


def read(source):
    return {
        "images": images(source),
        "text": text(source),
        "scalars": scalars(source),
        "scalar_values": scalar_values(source),
        "histograms": histograms(source),
        "graphs": graphs(source),
        "hparams": hparams(source),
    }


def images(source):
    found = {}
    listed = source.list_blob_sequences(CTX, experiment_id="", plugin_name="images")
    values = source.read_blob_sequences(CTX, plugin_name="images", downsample=MANY, **ALL)
    for run, tags in values.items():
        for tag, data in tags.items():
            steps = []
            for datum in data:
                # The first two blobs are width and height; the rest are the pictures.
                width, height, *pngs = [source.read_blob(CTX, blob_key=b.blob_key) for b in datum.values]
                pictures = []
                for png in pngs:
                    picture = Image.open(io.BytesIO(png))
                    picture.load()
                    pictures.append([*picture.size, picture.mode])
                steps.append([datum.step, [int(width), int(height)], pictures])
            found[f"{run}:{tag}"] = {"steps": steps, "description": listed[run][tag].description}
    return found


def text(source):
    values = source.read_tensors(CTX, plugin_name="text", downsample=MANY, **ALL)
    return {
        f"{run}:{tag}": [[d.step, d.numpy.item().decode()] for d in data]
        for run, tags in values.items()
        for tag, data in tags.items()
    }


def scalars(source):
    return {name: [step for step, _ in data] for name, data in scalar_values(source).items()}


def scalar_values(source):
    values = source.read_scalars(CTX, plugin_name="scalars", downsample=MANY, **ALL)
    return {
        f"{run}:{tag}": [[d.step, d.value] for d in data]
        for run, tags in values.items()
        for tag, data in tags.items()
    }


def histograms(source):
    values = source.read_tensors(CTX, plugin_name="histograms", downsample=MANY, **ALL)
    return {
        # The slow loader makes 32-bit floats of histograms that are no tensors (`data_compat.py`).
        f"{run}:{tag}": [[d.step, d.numpy.astype("float32").tolist()] for d in data]
        for run, tags in values.items()
        for tag, data in tags.items()
    }


def graphs(source):
    """Each run's graph: its nodes with op, inputs, output shape and what else is shown of them."""
    plugin = graphs_plugin.GraphsPlugin(base_plugin.TBContext(data_provider=source))
    found = {}
    for run in plugin.info_impl(CTX, experiment=""):
        body, _ = plugin.graph_impl(CTX, run, None, False, experiment="")
        found[run] = {n.name: node(n) for n in text_format.Parse(body, graph_pb2.GraphDef()).node}
    return found


def node(n):
    shapes = [[d.size for d in shape.dim] for shape in n.attr["_output_shapes"].list.shape]
    shown = {key: value.s.decode() for key, value in n.attr.items() if key != "_output_shapes"}
    return [n.op, list(n.input), shapes, shown]


def hparams(source):
    """The HParams tab's columns, and its rows: one a run, with settings, last results and status."""
    backend = backend_context.Context(base_plugin.TBContext(data_provider=source))
    args = (CTX, backend, "")
    if not backend.hparams_metadata(CTX, ""):
        return {}
    request = api_pb2.GetExperimentRequest()
    columns = get_experiment.Handler(*args, request).run()
    every = list(api_pb2.Status.values())
    request = api_pb2.ListSessionGroupsRequest(allowed_statuses=every, slice_size=MANY)
    groups = list_session_groups.Handler(*args, request).run().session_groups
    return {
        "columns": sorted(c.name for c in columns.hparam_infos),
        "results": sorted(m.name.tag for m in columns.metric_infos),
        "rows": {
            group.name: {
                "settings": {k: getattr(v, v.WhichOneof("kind")) for k, v in group.hparams.items()},
                "results": {m.name.tag: [m.training_step, m.value] for m in group.metric_values},
                "runs": {s.name: api_pb2.Status.Name(s.status) for s in group.sessions},
            }
            for group in groups
        },
    }


def main(logdir, watch):
    ingester = fast(logdir, watch)
    multiplexer, slow_provider = slow(logdir)
    seen = None
    while True:
        multiplexer.Reload()
        seen = settled(ingester.data_provider, seen)
        print(json.dumps({"slow": read(slow_provider), "fast": seen}), flush=True)
        if not watch or not sys.stdin.readline():
            break


if __name__ == "__main__":
    main(sys.argv[-1], "--watch" in sys.argv[1:])
