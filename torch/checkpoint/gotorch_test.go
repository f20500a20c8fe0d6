package checkpoint

import (
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"math"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
)

const gobFixture = "testdata/gotorch/state.gob"

// gobWant is what testdata/gotorch/make.go puts into the file.
func gobWant() map[string]*torch.Tensor {
	counted := torch.From([]int64{0, 1, 2, 100, 1, 0}, torch.CPU, 2, 3)
	want := map[string]*torch.Tensor{
		"netModule.W":                torch.From([]float64{math.Inf(1), math.Copysign(0, -1), math.SmallestNonzeroFloat64}, torch.CPU),
		"netModule.FC.Weight":        torch.From([]float32{1, 2, 3, 4, 5, 6}, torch.CPU, 3, 2),
		"netModule.FC.Bias":          torch.From([]float32{7, 8, 9}, torch.CPU),
		"netModule.List[0].Weight":   torch.From([]float32{10}, torch.CPU, 1, 1),
		"netModule.Norm.Weight":      torch.Ones([]int{2}, torch.Float32, torch.CPU),
		"netModule.Norm.Bias":        torch.Zeros([]int{2}, torch.Float32, torch.CPU),
		"netModule.Norm.RunningMean": torch.Zeros([]int{2}, torch.Float32, torch.CPU),
		"netModule.Norm.RunningVar":  torch.Ones([]int{2}, torch.Float32, torch.CPU),
		"transposed":                 counted.Transpose(0, 1),
		"element":                    torch.Full(nil, 100, torch.Int64, torch.CPU),
	}
	for _, d := range dtypeNames {
		want[d.String()] = counted.To(d)
	}
	return want
}

func requireGob(t *testing.T, path string, want map[string]*torch.Tensor) {
	t.Helper()
	s, err := openGob(path)
	require.NoError(t, err)
	defer s.Close()
	require.Len(t, s.Names(), len(want))
	require.True(t, slices.IsSorted(s.Names()))
	for name, w := range want {
		info, ok := s.Info(name)
		require.True(t, ok, name)
		require.Equal(t, Info{Name: name, DType: w.DType(), Shape: w.Shape(), Bytes: int64(w.Bytes())}, info)
		got, err := s.Load(name, torch.CPU)
		require.NoError(t, err)
		require.Equal(t, w.Shape(), got.Shape(), name)
		require.Equal(t, w.DType(), got.DType(), name)
		require.Equal(t, w.Raw(), got.Raw(), name)
		require.Equal(t, w.Raw(), append([]byte{}, s.Bytes(name)...), name)
	}
}

func gobRun(t *testing.T, f func()) {
	t.Helper()
	live := torch.LiveTensors()
	require.NoError(t, torch.Run(func(*torch.Scope) error { f(); return nil }))
	require.LessOrEqual(t, torch.LiveTensors(), live)
}

func TestGobOfGotorch(t *testing.T) {
	gobRun(t, func() { requireGob(t, gobFixture, gobWant()) })
	s, err := openGob(gobFixture)
	require.NoError(t, err)
	require.Equal(t, "gotorch state dict (gob)", s.Format())
	_, err = s.Load("none", torch.CPU)
	require.EqualError(t, err, gobFixture+`: no tensor "none"`)
	require.Nil(t, s.Bytes("none"))
	require.NoError(t, s.Close())
	require.NoError(t, s.Close())
	require.Nil(t, s.Bytes("element"))
	_, err = s.Load("element", torch.CPU)
	require.ErrorContains(t, err, "closed")
}

// The gotorch of this machine must write what the fixture's did.
func TestGobOfGotorchHere(t *testing.T) {
	if _, err := os.Stat("../../build/lib/libcgotorch.so"); err != nil {
		t.Skip("NOT TESTED: build/lib/libcgotorch.so is not there; make gotorch builds it")
	}
	path := filepath.Join(t.TempDir(), "x.gob")
	out, err := exec.Command("go", "run", "-tags=cgotorch", "./testdata/gotorch", path).CombinedOutput()
	require.NoError(t, err, "%s", out)
	gobRun(t, func() { requireGob(t, path, gobWant()) })
}

func TestIsGob(t *testing.T) {
	fixture, err := os.ReadFile(gobFixture)
	require.NoError(t, err)
	require.True(t, isGob(fixture[:16]))
	require.True(t, isGob([]byte(gobTypes)))
	require.True(t, isGob(gobOf(t, []gobBytes{{1}})))
	for _, other := range []string{"", "\x0f", "PK\x03\x04\x00\x00\x00\x00", "\x80\x02ctorch\n", "\x80\x02\x8a\nl\xfc\x9c\x46\xf9 j\xa8P\x19", "@\x00\x00\x00\x00\x00\x00\x00{\"x\"", "{\"a\": 1}", "hello"} {
		require.False(t, isGob([]byte(other)), "%q", other)
	}
}

func TestWriteGob(t *testing.T) {
	gobRun(t, func() {
		want := gobWant()
		want["empty"] = torch.Zeros([]int{0, 4}, torch.Float32, torch.CPU)
		want[strings.Repeat("long name ", 30)] = torch.From(make([]float32, 200), torch.CPU, 10, 20)
		path := filepath.Join(t.TempDir(), "x.gob")
		require.NoError(t, WriteGob(path, want))
		requireGob(t, path, want)
		first, err := os.ReadFile(path)
		require.NoError(t, err)
		require.NoError(t, WriteGob(path, gobWant()))
		require.NoError(t, WriteGob(path, want))
		again, err := os.ReadFile(path)
		require.NoError(t, err)
		require.True(t, bytes.Equal(first, again))

		var theirs map[string]gobBytes // encoding/gob must agree
		require.NoError(t, gob.NewDecoder(bytes.NewReader(first)).Decode(&theirs))
		require.Len(t, theirs, len(want))
		require.ErrorContains(t, WriteGob(path, map[string]*torch.Tensor{"x": nil}), `tensor "x": there is none`)
		require.NoError(t, WriteGob(path, nil))
		requireGob(t, path, nil)
	})
}

// A bit that flips in the elements is found when they are loaded.
func TestGobFindsDamage(t *testing.T) {
	gobRun(t, func() {
		path := filepath.Join(t.TempDir(), "x.gob")
		require.NoError(t, WriteGob(path, map[string]*torch.Tensor{"x": torch.From([]float32{1, 2, 3}, torch.CPU)}))
		content, err := os.ReadFile(path)
		require.NoError(t, err)
		at := bytes.Index(content, binary.LittleEndian.AppendUint32(nil, math.Float32bits(3)))
		content[at] ^= 1
		require.NoError(t, os.WriteFile(path, content, 0o644))
		s, err := openGob(path)
		require.NoError(t, err)
		defer s.Close()
		_, err = s.Load("x", torch.CPU)
		require.ErrorContains(t, err, `tensor "x": the checksum is wrong`)
	})
}
