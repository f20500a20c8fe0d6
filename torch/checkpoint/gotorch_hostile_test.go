package checkpoint

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"encoding/gob"
	"math"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// gobBytes is any type that encodes itself, as gotorch.Tensor does.
type gobBytes []byte

func (b gobBytes) GobEncode() ([]byte, error)   { return b, nil }
func (b *gobBytes) GobDecode(data []byte) error { *b = bytes.Clone(data); return nil }

func gobOf(t testing.TB, value any) []byte {
	t.Helper()
	var b bytes.Buffer
	require.NoError(t, gob.NewEncoder(&b).Encode(value))
	return b.Bytes()
}

func TestGobRefusesOtherFiles(t *testing.T) {
	fixture, err := os.ReadFile(gobFixture)
	require.NoError(t, err)
	entry := func(from, to string) []byte { return bytes.Replace(fixture, []byte(from), []byte(to), 1) }
	cases := []struct {
		name    string
		content []byte
		says    string
	}{
		{"empty", nil, "is the download complete?"},
		{"2^46 bytes announced", []byte{0xfa, 0x40, 0, 0, 0, 0, 0}, "70368744177664 bytes are announced, 0 are left"},
		{"2^46 bytes in the map", append([]byte(gobTypes), 0x0d, 0xff, 0x82, 0, 1, 1, 'x', 0xfa, 0x40, 0, 0, 0, 0, 0), `tensor "x": 70368744177664 bytes are announced`},
		{"2^60 tensors", append([]byte(gobTypes), 0x0c, 0xff, 0x82, 0, 0xf8, 0x10, 0, 0, 0, 0, 0, 0, 0), "name 1 of 1152921504606846976"},
		{"cut short", fixture[:len(fixture)/2], "is the download complete?"},
		{"goes on", append(slices.Clone(fixture), 1), "goes on for 1 bytes"},
		{"text", []byte("hello, this is no gob at all, is it not, and more text that goes on until it is long enough for the number of bytes there"), "not a gob file"},
		{"zip", []byte("PK\x03\x04 and so on"), "not a gob file"},
		{"a list", gobOf(t, []int{1}), "the gob holds a slice"},
		{"another map", gobOf(t, map[string]int{"x": 1}), "another map"},
		{"one tensor", gobOf(t, gobBytes("x")), "a type with GobEncode"},
		{"a number", gobOf(t, 7), "a plain value"},
		{"many records", gobOf(t, map[string]gobBytes{"a": gobManyRecords(t, nil)}), "a few records near the end are expected"},
		{"many records, small", gobOf(t, map[string]gobBytes{"a": gobManyRecords(t, func(end []byte, _ int) { binary.LittleEndian.PutUint32(end[12:], 300) })}), "a few records near the end are expected"},
		{"many records, late", gobOf(t, map[string]gobBytes{"a": gobManyRecords(t, func(end []byte, size int) { binary.LittleEndian.PutUint32(end[16:], uint32(size-100)) })}), "a few records near the end are expected"},
		{"no archive", gobOf(t, map[string]gobBytes{"a": []byte("no zip")}), `tensor "a": 6 bytes are not the archive`},
		{"big endian", entry("little", "bigend"), `byte order "bigend"`},
		{"a call", entry("torch._utils\n_rebuild_tensor_v2", "torch._utils\n_rebuild_tensor_v3"), "torch._utils._rebuild_tensor_v3 is not what gotorch writes"},
		{"code", entry("collections\nOrderedDict", "collectionX\nOrderedDict"), "collectionX.OrderedDict is not what gotorch writes of a tensor: refused"},
		{"dtype", entry("torch\nFloatStorage", "torch\nXloatStorage"), "a storage of type torch.XloatStorage, which is not known"},
		{"wrong dtype", entry("torch\nLongStorage", "torch\nByteStorage"), "elements of uint8 were announced"},
	}
	for _, c := range cases {
		path := filepath.Join(t.TempDir(), "x.gob")
		require.NoError(t, os.WriteFile(path, c.content, 0o644))
		before := gobAllocated()
		s, err := openGob(path)
		if assert.Error(t, err, c.name) {
			assert.Nil(t, s, c.name)
			assert.Contains(t, err.Error(), path+": ", c.name)
			assert.Contains(t, err.Error(), c.says, c.name)
		}
		assert.Less(t, gobAllocated()-before, uint64(2<<20), c.name)
	}
	_, err = openGob(filepath.Join(t.TempDir(), "none"))
	require.ErrorIs(t, err, os.ErrNotExist)
	_, err = openGob(t.TempDir())
	require.Error(t, err)
}

// gobManyRecords is an archive of 50 000 empty records of which its end tells something else.
func gobManyRecords(t testing.TB, lie func(end []byte, size int)) []byte {
	t.Helper()
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for range 50_000 {
		_, err := z.CreateHeader(&zip.FileHeader{})
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	archive := b.Bytes()
	if end := archive[len(archive)-22:]; lie != nil {
		binary.LittleEndian.PutUint16(end[8:], 5)
		binary.LittleEndian.PutUint16(end[10:], 5)
		lie(end, len(archive))
	}
	return archive
}

func gobAllocated() uint64 {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return m.TotalAlloc
}

// gobWith is the file of one uint8 tensor of a storage of n bytes 0, 1, 2, …, described at will.
func gobWith(t testing.TB, n int, offset int, shape, strides []int) []byte {
	t.Helper()
	var p, archive bytes.Buffer
	p.WriteString("\x80\x02ctorch._utils\n_rebuild_tensor_v2\n((")
	gobText(&p, "storage")
	p.WriteString("ctorch\nByteStorage\n")
	gobText(&p, "7")
	gobText(&p, "cpu")
	gobInts(&p, n)
	p.WriteString("tQ")
	gobInts(&p, offset)
	p.WriteByte('(')
	gobInts(&p, shape...)
	p.WriteString("t(")
	gobInts(&p, strides...)
	p.WriteString("t\x89ccollections\nOrderedDict\n)RtR.")
	data := make([]byte, n)
	for i := range data {
		data[i] = byte(i)
	}
	z := zip.NewWriter(&archive)
	for name, content := range map[string][]byte{"data.pkl": p.Bytes(), "data/7": data} {
		w, err := z.CreateHeader(&zip.FileHeader{Name: "x/" + name})
		require.NoError(t, err)
		_, err = w.Write(content)
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return gobOf(t, map[string]gobBytes{"x": archive.Bytes()})
}

func TestGobViews(t *testing.T) {
	const huge = math.MaxInt64
	for _, c := range []struct {
		offset         int
		shape, strides []int
		want           []byte // nil: refused
		says           string
	}{
		{0, []int{6}, []int{1}, []byte{0, 1, 2, 3, 4, 5}, ""},
		{1, []int{2, 2}, []int{3, 1}, []byte{1, 2, 4, 5}, ""},
		{0, []int{3, 2}, []int{1, 3}, []byte{0, 3, 1, 4, 2, 5}, ""},
		{2, []int{1, 3}, []int{huge, 1}, []byte{2, 3, 4}, ""},
		{0, []int{2, 3}, []int{0, 2}, []byte{0, 2, 4, 0, 2, 4}, ""},
		{5, nil, nil, []byte{5}, ""},
		{6, []int{0, huge}, []int{1, 1}, []byte{}, ""},
		{6, nil, nil, nil, "beyond a storage of 6 elements"},
		{1, []int{6}, []int{1}, nil, "beyond a storage of 6 elements"},
		{0, []int{7}, []int{0}, nil, "repeats its 6 elements"},
		{0, []int{huge, huge}, []int{0, 0}, nil, "repeats its 6 elements"},
		{0, []int{3, 2}, []int{huge, huge}, nil, "beyond a storage of 6 elements"},
		{0, []int{2}, []int{huge}, nil, "beyond a storage of 6 elements"},
		{0, []int{3}, []int{1 << 62}, nil, "beyond a storage of 6 elements"},
		{0, []int{5}, []int{1 << 62}, nil, "beyond a storage of 6 elements"},
		{-1, []int{1}, []int{1}, nil, "lies outside a storage of 6 elements"},
		{huge, []int{1}, []int{1}, nil, "lies outside a storage of 6 elements"},
		{0, []int{-1}, []int{1}, nil, "impossible shape"},
		{0, []int{2}, []int{-1}, nil, "impossible shape"},
		{0, []int{2}, []int{1, 1}, nil, "as many strides"},
	} {
		tensors, err := gobParse(gobWith(t, 6, c.offset, c.shape, c.strides))
		if c.want == nil {
			assert.ErrorContains(t, err, c.says, "%+v", c)
			assert.ErrorContains(t, err, `tensor "x"`)
		} else if assert.NoError(t, err, "%+v", c) {
			assert.Equal(t, c.want, tensors["x"].elements(), "%+v", c)
			assert.Equal(t, int64(len(c.want)), tensors["x"].info.Bytes)
		}
	}
}

// FuzzOpenGob: no file makes it panic or allocate out of proportion, and encoding/gob agrees on what is a checkpoint.
func FuzzOpenGob(f *testing.F) {
	fixture, err := os.ReadFile(gobFixture)
	require.NoError(f, err)
	f.Add(fixture)
	f.Add(gobWith(f, 6, 1, []int{2, 2}, []int{3, 1}))
	f.Add(gobWith(f, 0, 0, []int{0}, []int{1}))
	f.Add(gobOf(f, map[string]gobBytes{"a": []byte("no zip")}))
	f.Add(gobOf(f, map[string]int{"a": 1}))
	f.Add([]byte{0xfa, 0x40, 0, 0, 0, 0, 0})
	small := gobWith(f, 1, 0, []int{1}, []int{1})
	f.Add(small[bytes.Index(small, []byte("PK")):])                                              // an archive alone
	f.Add(small[bytes.Index(small, []byte("\x80\x02c")) : bytes.Index(small, []byte("RtR."))+4]) // a description alone
	f.Fuzz(func(t *testing.T, file []byte) {
		before := gobAllocated()
		tensors, err := gobParse(file)
		_, _, _ = gobUnpickle(file[:min(len(file), gobMaxPickle)])
		if x, err := gobArchive(file); err == nil {
			require.Len(t, x.elements(), int(x.info.Bytes))
		}
		total := 0
		if err == nil {
			for _, x := range tensors {
				require.Len(t, x.elements(), int(x.info.Bytes))
				total += len(x.elements())
			}
		}
		require.Less(t, gobAllocated()-before, uint64(256*len(file)+2*total+4<<20))
		if err != nil {
			return
		}
		var theirs map[string]gobBytes
		require.NoError(t, gob.NewDecoder(bytes.NewReader(file)).Decode(&theirs))
		require.Len(t, theirs, len(tensors))
	})
}
