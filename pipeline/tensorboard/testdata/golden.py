"""Writes golden.hex with TensorBoard's own messages and writer: what tensorboard_test.go encodes. Needs tensorboard.

    python golden.py > golden.hex"""
import io
from tensorboard.compat.proto import event_pb2, summary_pb2, tensor_pb2, tensor_shape_pb2, types_pb2
from tensorboard.summary.writer.record_writer import RecordWriter

at = 1767268800.5
out = io.BytesIO()
writer = RecordWriter(out)


def write(**fields):
    writer.write(event_pb2.Event(wall_time=at, **fields).SerializeToString(deterministic=True))


def summary(step, *values):
    write(step=step, summary=summary_pb2.Summary(value=values))


Value, Image, Histogram = summary_pb2.Summary.Value, summary_pb2.Summary.Image, summary_pb2.HistogramProto
write(file_version="brain.Event:2")
write(source_metadata=event_pb2.SourceMetadata(writer="espalier"))
write(session_log=event_pb2.SessionLog(status=event_pb2.SessionLog.START))
summary(3, Value(tag="loss/hidden distil cut 1/2", simple_value=.1), Value(tag="é", simple_value=-2))
summary(0, Value(tag="weights/vision", histo=Histogram(min=-1, max=3, num=3, sum=4, sum_squares=10, bucket_limit=[1, 3], bucket=[2, 1])))
summary(1 << 40, Value(tag="answers/picture 1", image=Image(height=200, width=320, colorspace=3, encoded_image_string=b"\x89PNG")),
        Value(tag="answers/text", tensor=tensor_pb2.TensorProto(dtype=types_pb2.DT_STRING, tensor_shape=tensor_shape_pb2.TensorShapeProto(), string_val=[b"| a |\n|---|\n"]),
              metadata=summary_pb2.SummaryMetadata(plugin_data=summary_pb2.SummaryMetadata.PluginData(plugin_name="text"))))
text = out.getvalue().hex()
print("\n".join(text[i:i + 120] for i in range(0, len(text), 120)))
