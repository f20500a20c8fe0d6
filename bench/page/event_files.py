"""Reads a run's event files with TensorBoard's own reader, and asks its server, as its page does, for all that they hold. With a command, the
server is started first, and the command is run twice, while it looks on.

    python event_files.py RUN [COMMAND...]"""
import csv, json, math, os, re, struct, subprocess, sys, time, urllib.error, urllib.parse, urllib.request

from tensorboard.backend.event_processing import event_accumulator

run, command = os.path.abspath(sys.argv[1]), sys.argv[2:]
logs = os.path.dirname(run)
name = os.path.basename(run) + "/tensorboard"


def wanted():
    """Every number of metrics.csv by its tag and step, as 32-bit floats."""
    out = {}
    for row in csv.DictReader(open(run + "/metrics.csv")):
        student = row["stage"].split("/")[0] if "/" in row["stage"] else ""
        of = f" of {student}" if student else ""
        phase, n = row["phase"], row["name"]
        if phase in ("candidate", "division"):
            continue
        if phase == "cut":
            tag = f"cut/{n} {row['stage']}"
        elif phase == "gate":
            tag = f"gate/{n}{of}"
        elif phase == "measured":
            tag = (n if "/" in n else "measured/" + n) + of
        else:
            tag = f"{n}/{row['stage']} {phase} {row['detail']}".rstrip()
        out.setdefault(tag, {})[int(row["step"])] = struct.unpack("f", struct.pack("f", float(row["value"])))[0]
    return out


def check_reader(want):
    files = os.listdir(run + "/tensorboard")
    assert len(files) == 1 and re.fullmatch(r"events\.out\.tfevents\.\d{10}\.espalier\.\d+\.\d+", files[0]), files
    reader = event_accumulator.EventAccumulator(run + "/tensorboard", size_guidance={k: 0 for k in event_accumulator.DEFAULT_SIZE_GUIDANCE})
    reader.Reload()
    tags = reader.Tags()
    got = {tag: {e.step: e.value for e in reader.Scalars(tag)} for tag in tags["scalars"]}
    assert got == want, sorted(set(got) ^ set(want)) or [t for t in want if got[t] != want[t]]
    for tag in tags["scalars"]:
        steps = [e.step for e in reader.Scalars(tag)]
        assert steps == sorted(set(steps)), (tag, steps)
    for tag in tags["histograms"]:
        for e in reader.Histograms(tag):
            h = e.histogram_value
            assert h.min <= h.max and h.num == sum(h.bucket) > 0 and h.bucket_limit == sorted(h.bucket_limit), (tag, h)
    weights = [t for t in tags["histograms"] if t.startswith("weights/")]
    importance = [t for t in tags["histograms"] if t.startswith("importance/")]
    assert weights and importance, tags["histograms"]
    assert tags["images"], tags
    for tag in tags["images"]:
        for e in reader.Images(tag):
            assert e.encoded_image_string.startswith(b"\x89PNG") and e.width >= 320, tag
    print(f"its reader: {len(got)} scalars with {sum(map(len, got.values()))} values as in metrics.csv, {len(tags['histograms'])} histograms, {len(tags['images'])} pictures")
    return reader


class Server:
    def __init__(self):
        self.process = subprocess.Popen([os.path.dirname(sys.executable) + "/tensorboard", "--logdir", logs, "--port", "0", "--host", "127.0.0.1",
                                         "--reload_interval", "1", "--reload_multifile", "true"], stderr=subprocess.PIPE, text=True)
        said = ""
        for line in self.process.stderr:
            said += line
            if found := re.search(r"http://127\.0\.0\.1:\d+", line):
                self.url = found[0]
                break
        else:
            raise SystemExit(f"TensorBoard does not start:\n{said}")
        os.set_blocking(self.process.stderr.fileno(), False)

    def get(self, path, **query):
        where = f"{self.url}/data/{path}" + ("?" + urllib.parse.urlencode(query) if query else "")
        return urllib.request.urlopen(where, timeout=30).read()

    def ask(self, path, **query):
        return json.loads(self.get(path, **query))

    def close(self):
        self.process.terminate()
        self.process.wait()


def check_server(server, want, reader):
    tags = reader.Tags()

    def scalars():
        try:
            found = server.ask("plugin/scalars/tags").get(name, {})
            return {tag: {int(step): value for _, step, value in server.ask("plugin/scalars/scalars", run=name, tag=tag)} for tag in found} if len(found) == len(want) else found
        except urllib.error.HTTPError:
            return {}  # it reads just now

    for _ in range(60):  # it looks for what is new every second
        if (got := scalars()) == want:
            break
        time.sleep(1)
    assert got == want, [(t, got.get(t), want[t]) for t in want if got.get(t) != want[t]][:3]
    for tag in want:
        points = server.ask("plugin/scalars/scalars", run=name, tag=tag)
        assert len(points) == len(want[tag]), f"{tag}: {len(points)} points instead of {len(want[tag])}: a start was added to the one before"
    assert set(server.ask("plugin/histograms/tags")[name]) == set(tags["histograms"])
    for tag in tags["histograms"]:
        for _, step, bins in server.ask("plugin/histograms/histograms", run=name, tag=tag):
            assert bins and sum(count for _, _, count in bins) > 0 and all(math.isfinite(v) for b in bins for v in b), tag
    images = server.ask("plugin/images/tags")[name]
    assert set(images) == set(tags["images"])
    for tag in images:
        shown = server.ask("plugin/images/images", run=name, tag=tag, sample=0)
        assert len({s["step"] for s in shown}) == len(shown) > 1, (tag, shown)
        png = server.get("plugin/images/individualImage?" + shown[-1]["query"])
        assert png == reader.Images(tag)[-1].encoded_image_string, tag
    texts = server.ask("plugin/text/tags")[name]
    table = server.ask("plugin/text/text", run=name, tag=texts[0])
    assert texts and "<table>" in table[-1]["text"], table
    assert server.ask("runs") == [name], server.ask("runs")
    print(f"its server: the same scalars, {len(tags['histograms'])} histograms, {len(images)} pictures with {len(shown)} answers each, and the answers as a table")


if command:
    os.makedirs(run, exist_ok=True)
server = Server()
try:
    for start in range(2 if command else 1):
        if command:
            subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
            print(f"start {start + 1}:")
        want = wanted()
        check_server(server, want, check_reader(want))
finally:
    server.close()
