package checkpoint_test

import (
	"bytes"
	"encoding/binary"
	"math"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

var allTypes = []torch.DType{torch.Uint8, torch.Int8, torch.Int16, torch.Int32, torch.Int64, torch.Float16, torch.Float32,
	torch.Float64, torch.Bool, torch.BFloat16}

// file puts a header and data together, as the format says: 8 bytes of length, JSON, bytes of the tensors.
func file(header string, data ...byte) []byte {
	out := binary.LittleEndian.AppendUint64(nil, uint64(len(header)))
	return append(append(out, header...), data...)
}

func write(t testing.TB, content []byte) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "x.safetensors")
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return path
}

func TestRoundTrip(t *testing.T) {
	torchtest.Devices(t, func(t *testing.T, on torch.Device) {
		tensors := map[string]*torch.Tensor{
			"scalar":     torch.Full(nil, 3, torch.Float32, on),
			"empty":      torch.Zeros([]int{0, 4}, torch.Float32, on),
			"odd":        torch.From([]float64{math.Inf(1), math.Copysign(0, -1), math.SmallestNonzeroFloat64}, on),
			"transposed": torch.From([]int32{1, 2, 3, 4, 5, 6}, on, 2, 3).Transpose(0, 1),
			`"näme"/<&>`: torch.From([]uint8{7}, on),
		}
		for _, d := range allTypes {
			tensors[d.String()] = torch.From([]int64{0, 1, 2, 100, 1, 0}, on, 2, 3).To(d)
		}
		metadata := map[string]string{"format": "pt", "a": "b\n"}
		path := filepath.Join(t.TempDir(), "new", "folder", "x.safetensors")
		require.NoError(t, checkpoint.WriteSafeTensors(path, tensors, metadata))

		s, err := checkpoint.OpenSafeTensors(path)
		require.NoError(t, err)
		defer s.Close()
		require.Equal(t, metadata, s.Metadata)
		require.Len(t, s.Names(), len(tensors))
		require.True(t, slices.IsSorted(s.Names()))
		for name, want := range tensors {
			info, ok := s.Info(name)
			require.True(t, ok)
			require.Equal(t, checkpoint.Info{Name: name, DType: want.DType(), Shape: want.Shape(), Bytes: int64(want.Bytes())}, info)
			got, err := s.Load(name, on)
			require.NoError(t, err)
			require.Equal(t, on, got.Device())
			require.Equal(t, want.DType(), got.DType(), name)
			require.Equal(t, want.Shape(), got.Shape(), name)
			require.Equal(t, want.Raw(), got.Raw(), name)
		}
		all, err := checkpoint.ReadSafeTensors(path, on)
		require.NoError(t, err)
		require.Len(t, all, len(tensors))
		require.Equal(t, tensors["odd"].Raw(), all["odd"].Raw(), "it outlives the mapping")
	})
}

func TestLoadErrors(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		path := write(t, file(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 7))
		s, err := checkpoint.OpenSafeTensors(path)
		require.NoError(t, err)
		_, err = s.Load("y", torch.CPU)
		require.EqualError(t, err, path+`: no tensor "y"`)
		_, ok := s.Info("y")
		require.False(t, ok)
		live := torch.LiveTensors()
		_, err = s.LoadAll(torch.CUDA(torch.CUDADevices()))
		require.ErrorContains(t, err, path+`: tensor "x": torch: `)
		require.Equal(t, live, torch.LiveTensors())
		require.NoError(t, s.Close())
		require.NoError(t, s.Close())
		_, err = s.Load("x", torch.CPU)
		require.ErrorContains(t, err, "closed")
		_, err = checkpoint.OpenSafeTensors(filepath.Join(t.TempDir(), "none"))
		require.ErrorIs(t, err, os.ErrNotExist)
	})
}

// Two orders of insertion into the map, many orders of iteration: one file. And its bytes are those of the format.
func TestSameBytes(t *testing.T) {
	torchtest.Run(t, func(*torch.Scope) {
		tensors := map[string]*torch.Tensor{
			"b": torch.From([]float32{1}, torch.CPU), "a": torch.From([]uint8{1, 2}, torch.CPU), "c": torch.From([]float32{2}, torch.CPU),
		}
		path := filepath.Join(t.TempDir(), "x")
		for range 10 {
			require.NoError(t, checkpoint.WriteSafeTensors(path, tensors, map[string]string{"z": "1", "y": "2"}))
			got, err := os.ReadFile(path)
			require.NoError(t, err)
			header := `{"__metadata__":{"y":"2","z":"1"},"b":{"dtype":"F32","shape":[1],"data_offsets":[0,4]},` +
				`"c":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"a":{"dtype":"U8","shape":[2],"data_offsets":[8,10]}}`
			for len(header)%8 != 0 {
				header += " "
			}
			require.Equal(t, string(file(header, 0, 0, 128, 63, 0, 0, 0, 64, 1, 2)), string(got))
		}
		info, err := os.Stat(path)
		require.NoError(t, err)
		require.Equal(t, os.FileMode(0o644), info.Mode())
	})
}

var malformed = map[string]struct {
	content []byte
	message string
}{
	"no bytes":                 {nil, "0 bytes are no safetensors file"},
	"too short":                {[]byte{1, 2, 3}, "3 bytes are no safetensors file"},
	"header past the end":      {file(`{"x":1}`)[:12], "cut short"},
	"header of absurd length":  {bytes.Repeat([]byte{255}, 16), "not a safetensors file"},
	"no header":                {file(``), "no JSON object"},
	"header without an end":    {file(`{"x":{"dtype":"U8"`), "no JSON object"},
	"header of another kind":   {file(`[1,2]`), "no JSON object"},
	"two headers":              {file(`{}{}`), "no JSON object"},
	"a zip file":               {append([]byte("PK\x03\x04"), make([]byte, 30)...), "not a safetensors file"},
	"broken metadata":          {file(`{"__metadata__":{"a":1}}`), "broken metadata"},
	"metadata twice":           {file(`{"__metadata__":{},"__metadata__":{}}`), `"__metadata__" is in the header twice`},
	"entry of another kind":    {file(`{"x":7}`), `tensor "x": broken entry`},
	"entry is null":            {file(`{"x":null}`), `tensor "x": unknown dtype ""`},
	"unknown dtype":            {file(`{"x":{"dtype":"F8","shape":[1],"data_offsets":[0,1]}}`, 1), `tensor "x": unknown dtype "F8"`},
	"no shape":                 {file(`{"x":{"dtype":"U8","data_offsets":[0,1]}}`, 1), "needs a shape"},
	"no offsets":               {file(`{"x":{"dtype":"U8","shape":[0]}}`), "two data_offsets"},
	"three offsets":            {file(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1,2]}}`, 1, 2), "two data_offsets"},
	"negative size":            {file(`{"x":{"dtype":"U8","shape":[-1],"data_offsets":[0,1]}}`, 1), "impossible shape [-1]"},
	"size of half an element":  {file(`{"x":{"dtype":"U8","shape":[0.5],"data_offsets":[0,1]}}`, 1), "broken entry"},
	"sizes that overflow":      {file(`{"x":{"dtype":"F64","shape":[4294967296,4294967296],"data_offsets":[0,0]}}`), "impossible shape"},
	"size past 64 bits":        {file(`{"x":{"dtype":"U8","shape":[99999999999999999999],"data_offsets":[0,0]}}`), "broken entry"},
	"shape needs more":         {file(`{"x":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}}`, 1, 2, 3, 4), "shape [2] of F32 needs 8 bytes, the file has 4"},
	"shape needs less":         {file(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,2]}}`, 1, 2), "needs 1 bytes, the file has 2"},
	"data cut short":           {file(`{"x":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}}`, 1, 2), "outside the file's 2; is the download complete?"},
	"offsets before the start": {file(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[-1,0]}}`), "outside"},
	"offsets backwards":        {file(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[1,0]}}`, 1), "outside"},
	"overlap": {file(`{"x":{"dtype":"U8","shape":[2],"data_offsets":[0,2]},"y":{"dtype":"U8","shape":[2],"data_offsets":[1,3]}}`, 1, 2, 3),
		`tensor "y" overlaps another`},
	"same place": {file(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"y":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1),
		`overlaps another`},
	"same name": {file(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"x":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}}`, 1, 2),
		`"x" is in the header twice`},
	"a hole":         {file(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[2,3]}}`, 1, 2, 3), `2 bytes before tensor "x" belong to none`},
	"something more": {file(`{"x":{"dtype":"U8","shape":[1],"data_offsets":[0,1]}}`, 1, 2, 3), "the last 2 bytes belong to no tensor"},
}

func TestMalformedFiles(t *testing.T) {
	for name, c := range malformed {
		t.Run(name, func(t *testing.T) {
			path := write(t, c.content)
			_, err := checkpoint.OpenSafeTensors(path)
			require.ErrorContains(t, err, c.message)
			require.ErrorContains(t, err, path+": ")
			require.NotContains(t, err.Error(), "\n")
			_, err = checkpoint.ReadSafeTensors(path, torch.CPU)
			require.Error(t, err)
		})
	}
}

// Whatever the bytes, the answer is tensors or an error: never a panic. `go test -fuzz=Fuzz ./torch/checkpoint` goes on.
func FuzzOpenSafeTensors(f *testing.F) {
	for _, c := range malformed {
		f.Add(c.content)
	}
	f.Add(file(`{"__metadata__":{"k":"v"},"x":{"dtype":"F32","shape":[],"data_offsets":[0,4]},"y":{"dtype":"U8","shape":[0,9],"data_offsets":[4,4]}}`, 1, 2, 3, 4))
	path := filepath.Join(f.TempDir(), "x")
	f.Fuzz(func(t *testing.T, content []byte) {
		require.NoError(t, os.WriteFile(path, content, 0o644))
		s, err := checkpoint.OpenSafeTensors(path)
		if err != nil {
			return
		}
		defer s.Close()
		total := int64(0)
		_ = torch.Run(func(*torch.Scope) error {
			for _, n := range s.Names() {
				info, _ := s.Info(n)
				total += info.Bytes
				if x, err := s.Load(n, torch.CPU); err == nil && int64(len(x.Raw())) != info.Bytes {
					t.Errorf("%s: %d bytes, want %d", n, len(x.Raw()), info.Bytes)
				}
			}
			return nil
		})
		if total > int64(len(content)) {
			t.Errorf("%d bytes of tensors in a file of %d", total, len(content))
		}
	})
}
