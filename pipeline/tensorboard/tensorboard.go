// Package tensorboard encodes what TensorBoard's event files hold: records of TensorFlow's Event message. It is written by hand over
// protowire, since no kept Go library writes them, in the form that PyTorch's SummaryWriter has, which every reader knows
// (tensorboard/compat/proto: event.proto, summary.proto, histogram.proto, tensor.proto).
package tensorboard

import (
	"encoding/binary"
	"hash/crc32"
	"math"
	"time"

	"google.golang.org/protobuf/encoding/protowire"
)

// Open are the first records of a file. A TensorBoard that shows an earlier file of the folder forgets what it had from there.
func Open(at time.Time) []byte {
	const version, writer = "brain.Event:2", "espalier"
	out := record(field(event(at, 0), 3, protowire.AppendString, version))
	source := field(nil, 1, protowire.AppendString, writer)
	out = append(out, record(field(event(at, 0), 10, protowire.AppendBytes, source))...)
	start := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), 1)
	return append(out, record(field(event(at, 0), 7, protowire.AppendBytes, start))...)
}

// Record is a record of some values of a step.
func Record(at time.Time, step int, values ...Value) []byte {
	var summary []byte
	for _, v := range values {
		summary = field(summary, 1, protowire.AppendBytes, []byte(v))
	}
	return record(field(event(at, step), 5, protowire.AppendBytes, summary))
}

// Value is what a tag has at a step, encoded.
type Value []byte

// Scalar is a number. TensorBoard keeps it in 32 bits.
func Scalar(tag string, v float64) Value {
	out := protowire.AppendTag(tagged(tag), 2, protowire.Fixed32Type)
	return protowire.AppendFixed32(out, math.Float32bits(float32(v)))
}

// Bins are counts of values between limits: count i is of those up to limit i, and the first one begins at Low.
type Bins struct {
	Low, High        float64
	Sum, SumOfSquare float64
	Limits, Counts   []float64
}

// Histogram are counts of values.
func Histogram(tag string, b Bins) Value {
	total := 0.
	for _, n := range b.Counts {
		total += n
	}
	var h []byte
	for i, v := range []float64{b.Low, b.High, total, b.Sum, b.SumOfSquare} {
		h = double(h, protowire.Number(i+1), v)
	}
	h = field(h, 6, protowire.AppendBytes, packed(b.Limits))
	h = field(h, 7, protowire.AppendBytes, packed(b.Counts))
	return field(tagged(tag), 5, protowire.AppendBytes, h)
}

// Image is a PNG in RGB.
func Image(tag string, width, height int, png []byte) Value {
	const rgb = 3
	var i []byte
	for n, v := range []int{height, width, rgb} {
		i = protowire.AppendVarint(protowire.AppendTag(i, protowire.Number(n+1), protowire.VarintType), uint64(v))
	}
	i = field(i, 4, protowire.AppendBytes, png)
	return field(tagged(tag), 4, protowire.AppendBytes, i)
}

// Text is a text in Markdown.
func Text(tag, markdown string) Value {
	const stringType = 7
	tensor := protowire.AppendVarint(protowire.AppendTag(nil, 1, protowire.VarintType), stringType)
	tensor = field(tensor, 2, protowire.AppendBytes, nil) // the shape of one
	tensor = field(tensor, 8, protowire.AppendString, markdown)
	metadata := field(nil, 1, protowire.AppendBytes, field(nil, 1, protowire.AppendString, "text"))
	return field(field(tagged(tag), 8, protowire.AppendBytes, tensor), 9, protowire.AppendBytes, metadata)
}

func tagged(tag string) []byte { return field(nil, 1, protowire.AppendString, tag) }

// event is the beginning of an Event.
func event(at time.Time, step int) []byte {
	out := double(nil, 1, float64(at.UnixMilli())/1000)
	if step == 0 { // proto3 leaves it out
		return out
	}
	return protowire.AppendVarint(protowire.AppendTag(out, 2, protowire.VarintType), uint64(step))
}

func double(b []byte, n protowire.Number, v float64) []byte {
	return protowire.AppendFixed64(protowire.AppendTag(b, n, protowire.Fixed64Type), math.Float64bits(v))
}

func packed(values []float64) (out []byte) {
	for _, v := range values {
		out = protowire.AppendFixed64(out, math.Float64bits(v))
	}
	return out
}

// field appends a field that has a length before it.
func field[T string | []byte](b []byte, n protowire.Number, value func([]byte, T) []byte, v T) []byte {
	return value(protowire.AppendTag(b, n, protowire.BytesType), v)
}

var castagnoli = crc32.MakeTable(crc32.Castagnoli)

// record frames an Event as TFRecord does: its length, that length's checksum, its bytes, and their checksum.
func record(e []byte) []byte {
	out := binary.LittleEndian.AppendUint64(make([]byte, 0, len(e)+16), uint64(len(e)))
	out = binary.LittleEndian.AppendUint32(out, masked(out))
	out = append(out, e...)
	return binary.LittleEndian.AppendUint32(out, masked(e))
}

// masked is TFRecord's form of a CRC-32C: a checksum of bytes that hold checksums is a poor one.
func masked(b []byte) uint32 {
	sum := crc32.Checksum(b, castagnoli)
	return (sum>>15 | sum<<17) + 0xa282ead8
}
