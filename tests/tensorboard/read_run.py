"""What the real TensorBoard makes of a log folder, as JSON.

    python read_run.py LOGDIR      # needs: tensorboard pillow

Asks both of TensorBoard's data providers: the data server in Rust ("fast", what `tensorboard` starts)
and the event multiplexer in Python ("slow"). For each, every tag of a run with its steps; for images
also the size and mode of each decoded picture, and the description.
"""
import io
import json
import sys
import time

from PIL import Image
from tensorboard import context
from tensorboard.backend.event_processing import data_provider, plugin_event_multiplexer
from tensorboard.data import provider, server_ingester
from tensorboard.util import grpc_util

MANY = 1_000_000
CTX = context.RequestContext()
ALL = dict(experiment_id="", run_tag_filter=provider.RunTagFilter())


def slow(logdir):
    sizes = {name: MANY for name in ("images", "scalars", "text")}
    multiplexer = plugin_event_multiplexer.EventMultiplexer(tensor_size_guidance=sizes)
    multiplexer.AddRunsFromDirectory(logdir)
    multiplexer.Reload()
    return data_provider.MultiplexerDataProvider(multiplexer, logdir)


def fast(logdir):
    ingester = server_ingester.SubprocessServerDataIngester(
        server_ingester.get_server_binary(),
        logdir,
        reload_interval=0,
        channel_creds_type=grpc_util.ChannelCredsType.LOCAL,
        samples_per_plugin={"images": MANY, "scalars": MANY, "text": MANY},
    )
    ingester.start()
    # The server loads in the background and does not say when it is done.
    last = None
    for _ in range(100):
        seen = read(ingester.data_provider)
        if seen == last and any(seen.values()):
            return ingester
        last = seen
        time.sleep(0.3)
    sys.exit(f"the data server shows nothing of {logdir}")


def read(source):
    return {"images": images(source), "text": text(source), "scalars": scalars(source)}


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
    values = source.read_scalars(CTX, plugin_name="scalars", downsample=MANY, **ALL)
    return {
        f"{run}:{tag}": [d.step for d in data] for run, tags in values.items() for tag, data in tags.items()
    }


def main(logdir):
    ingester = fast(logdir)
    json.dump({"slow": read(slow(logdir)), "fast": read(ingester.data_provider)}, sys.stdout)


if __name__ == "__main__":
    main(sys.argv[1])
