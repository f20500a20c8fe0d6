package checkpoint_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

// maxWork is what opening a small hostile file, and reading all of it, may allocate altogether.
const maxWork = 50 << 20

// allocated runs f and counts the bytes that it allocates on Go's heap.
func allocated(f func()) uint64 {
	var before, after runtime.MemStats
	runtime.ReadMemStats(&before)
	f()
	runtime.ReadMemStats(&after)
	return after.TotalAlloc - before.TotalAlloc
}

type member struct {
	name, content string
	method        uint16
}

func archive(t testing.TB, members ...member) []byte {
	var b bytes.Buffer
	z := zip.NewWriter(&b)
	for _, m := range members {
		w, err := z.CreateHeader(&zip.FileHeader{Name: m.name, Method: m.method})
		require.NoError(t, err)
		_, err = w.Write([]byte(m.content))
		require.NoError(t, err)
	}
	require.NoError(t, z.Close())
	return b.Bytes()
}

// pickled is an archive of a pickle, with one storage of 64 bytes called "0".
func pickled(t testing.TB, pickle string, more ...member) []byte {
	members := []member{{"x/data.pkl", pickle, zip.Store}, {"x/data/0", strings.Repeat("\x01", 64), zip.Store}}
	return archive(t, append(members, more...)...)
}

// tensor is a pickle's {"w": a float32 tensor} of a storage that promises count elements; offset, shape and strides are
// opcodes.
func tensor(count, offset, shape, strides string) string {
	return "\x80\x02}X\x01\x00\x00\x00wctorch._utils\n_rebuild_tensor_v2\n((X\x07\x00\x00\x00storagectorch\nFloatStorage\n" +
		"X\x01\x00\x00\x000X\x03\x00\x00\x00cpu" + count + "tQ" + offset + shape + strides + "\x89}tRs."
}

func long(n int64) string {
	return "\x8a\x08" + string(binary.LittleEndian.AppendUint64(nil, uint64(n)))
}

// legacyStream is a legacy file of a pickle; the storages' keys follow.
func legacyStream(pickle, rest string) []byte {
	return []byte("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19." + "\x80\x02M\xe9\x03." +
		"\x80\x02}X\x0d\x00\x00\x00little_endian\x88s." + pickle + rest)
}

var wholeTensor = tensor("K\x10", "K\x00", "K\x10\x85", "K\x01\x85")

// pickles are hostile whether they come in an archive or in a legacy stream.
var pickles = map[string]struct{ pickle, message string }{
	"15 bytes ask for 2^46":    {"\x80\x04\x8e\x00\x00\x00\x00\x00\x40\x00\x00abc.", "cut short"},
	"text of 2^46 bytes":       {"\x80\x04\x8d\x00\x00\x00\x00\x00\x40\x00\x00abc.", "cut short"},
	"array of 2^46 bytes":      {"\x80\x05\x96\x00\x00\x00\x00\x00\x40\x00\x00abc.", "cut short"},
	"length past 63 bits":      {"\x80\x04\x8e\xff\xff\xff\xff\xff\xff\xff\xffabc.", "cut short"},
	"number of 2^31 bytes":     {"\x80\x02\x8b\xff\xff\xff\x7fabc.", "cut short"},
	"text of 2^32 bytes":       {"\x80\x02X\xff\xff\xff\xffabc.", "cut short"},
	"frame of 2^46 bytes":      {"\x80\x04\x95\x00\x00\x00\x00\x00\x40\x00\x00}.", "no tensors"},
	"memo of 2^31 places":      {"\x80\x02}r\xff\xff\xff\x7f.", "no tensors"},
	"memo in words":            {"\x80\x02}p99999999999999999999\n.", "out of range"},
	"nothing in the memo":      {"\x80\x02h\x07.", "nothing was remembered under 7"},
	"os.system":                {"cposix\nsystem\n(X\x02\x00\x00\x00lstR.", "wants to call posix.system, which is refused"},
	"os.system, protocol 0":    {"(S'ls'\niposix\nsystem\n.", "posix.system"},
	"os.system, OBJ":           {"(cposix\nsystem\nX\x02\x00\x00\x00lso.", "posix.system"},
	"os.system, protocol 4":    {"\x80\x04\x8c\x05posix\x8c\x06system\x93\x8c\x02ls\x85R.", "posix.system"},
	"eval behind a tensor":     {"\x80\x02}(X\x01\x00\x00\x00wc__builtin__\neval\nX\x01\x00\x00\x001\x85Ru.", "__builtin__.eval"},
	"a class's __setstate__":   {"\x80\x02cevil\nThing\n)\x81}b.", "evil.Thing"},
	"a class as the object":    {"\x80\x02cevil\nThing\n}b.", "evil.Thing has no state"},
	"getattr through torch":    {"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(cposix\nsystem\nN)NtR.", "posix.system"},
	"from_type within itself":  {"\x80\x02ctorch._tensor\n_rebuild_from_type_v2\n(ctorch._tensor\n_rebuild_from_type_v2\nN)NtR.", "needs a function"},
	"reconstructor":            {"\x80\x02ccopyreg\n_reconstructor\ncposix\nsystem\nc__builtin__\nobject\nN\x87R.", "posix.system"},
	"reconstructor of itself":  {"\x80\x02ccopyreg\n_reconstructor\nccopyreg\n_reconstructor\n\x85R.", "copyreg._reconstructor"},
	"a dotted name":            {"\x80\x04\x8c\x05torch\x8c\x10_utils.os.system\x93)R.", "torch._utils.os.system"},
	"extension registry":       {"\x80\x02\x82\x01.", "opcode 0x82"},
	"a call of a number":       {"\x80\x02K\x01)R.", "a number cannot be called"},
	"a call with a number":     {"\x80\x02ctorch\nSize\nK\x01R.", "torch.Size is called with a number"},
	"a call with nothing":      {"\x80\x02ctorch\nSize\n)R.", "called without a value"},
	"persistent and no tuple":  {"\x80\x02K\x01Q.", "no storage"},
	"a module":                 {"\x80\x02(X\x06\x00\x00\x00modulecmy\nNet\nX\x01\x00\x00\x00aX\x01\x00\x00\x00btQ.", "my.Net"},
	"storage of another class": {"\x80\x02(X\x07\x00\x00\x00storagecevil\nFloatStorage\nX\x01\x00\x00\x000NK\x01tQ.", "evil.FloatStorage"},
	"storage of 2^62 elements": {tensor(long(1<<62), "K\x00", "K\x10\x85", "K\x01\x85"), "a storage of"},
	"storage of -1 elements":   {tensor("J\xff\xff\xff\xff", "K\x00", "K\x10\x85", "K\x01\x85"), "a storage of -1"},
	"rank of 65":               {tensor("K\x10", "K\x00", "("+strings.Repeat("K\x01", 65)+"t", "("+strings.Repeat("K\x01", 65)+"t"), "needs a storage"},
	"empty stack":              {"\x80\x02.", "a value is missing"},
	"stack below a mark":       {"\x80\x02(0.", "a value is missing"},
	"no mark":                  {"\x80\x02}u.", "a mark is missing"},
	"key without value":        {"\x80\x02}(K\x01u.", "a key has no value"},
	"filled number":            {"\x80\x02K\x01(K\x01K\x01u.", "cannot be filled"},
	"left over":                {"\x80\x02}}.", "left over"},
	"protocol 6":               {"\x80\x06}.", "protocol 6"},
	"no end":                   {"\x80\x02}", "cut short"},
	"no pickle":                {"wello", "opcode 0x77"},
	"a list within itself":     {"\x80\x02]q\x00h\x00a.", "holds itself"},
	"a dict within itself":     {"\x80\x02}q\x00X\x01\x00\x00\x00ah\x00s.", "holds itself"},
	"lists 100,000 deep":       {"\x80\x02" + strings.Repeat("]", 100_000) + strings.Repeat("a", 99_999) + ".", "nested more than 100 deep"},
	"tuples 100,000 deep":      {"\x80\x02N" + strings.Repeat("\x85", 100_000) + ".", "nested more than 100 deep"},
	"a billion laughs":         {"\x80\x02]" + strings.Repeat("2\x86", 90) + ".", "without end"},
	"a billion tensors":        {strings.TrimSuffix(wholeTensor, ".") + strings.Repeat("2\x86", 90) + ".", "without end"},
	"a million lists":          {"\x80\x02(" + strings.Repeat("]", 100_000) + "l.", "no tensors"},
}

func requireRefused(t *testing.T, content []byte, key, message string) {
	t.Helper()
	path := write(t, content)
	work := allocated(func() {
		s, err := checkpoint.Open(path, key)
		if err == nil {
			s.Close()
		}
		require.ErrorContains(t, err, message)
		require.ErrorContains(t, err, path+": ")
		require.NotContains(t, err.Error(), "\n")
		require.Less(t, len(err.Error()), 2000)
	})
	require.Less(t, work, uint64(maxWork))
}

func TestHostilePickles(t *testing.T) {
	for name, c := range pickles {
		t.Run(name, func(t *testing.T) {
			key := "."
			requireRefused(t, pickled(t, c.pickle), key, c.message)
			keys := "\x80\x02]."
			if strings.Contains(c.pickle, "FloatStorage") {
				keys = "\x80\x02]X\x01\x00\x00\x000a.\x10\x00\x00\x00\x00\x00\x00\x00" + strings.Repeat("\x01", 64)
			}
			if c.message != "cut short" { // there more bytes follow
				requireRefused(t, legacyStream(c.pickle, keys), key, c.message)
			}
		})
	}
}

func TestHostileShapes(t *testing.T) {
	for name, c := range map[string]struct{ pickle, message string }{
		"more elements":          {tensor("K\x10", "K\x00", "K\x11\x85", "K\x01\x85"), "reaches beyond a storage of 16 elements"},
		"offset":                 {tensor("K\x10", "K\x01", "K\x10\x85", "K\x01\x85"), "reaches beyond"},
		"offset far outside":     {tensor("K\x10", long(1<<62), "K\x00\x85", "K\x01\x85"), "offset 4611686018427387904 lies outside"},
		"negative offset":        {tensor("K\x10", "J\xff\xff\xff\xff", "K\x01\x85", "K\x01\x85"), "offset -1 lies outside"},
		"stride":                 {tensor("K\x10", "K\x00", "K\x02\x85", "K\x10\x85"), "reaches beyond"},
		"negative stride":        {tensor("K\x10", "K\x0f", "K\x02\x85", "J\xff\xff\xff\xff\x85"), "impossible shape"},
		"negative size":          {tensor("K\x10", "K\x00", "J\xff\xff\xff\xff\x85", "K\x01\x85"), "impossible shape"},
		"strides that overflow":  {tensor("K\x10", "K\x00", "K\x05K\x02\x86", long(1<<62)+long(1<<62)+"\x86"), "reaches beyond"},
		"sizes that overflow":    {tensor("K\x10", "K\x00", long(1<<32)+long(1<<32)+"\x86", "K\x00K\x00\x86"), "repeats its 16 elements"},
		"size of 2^62":           {tensor("K\x10", "K\x00", long(1<<62)+"\x85", "K\x01\x85"), "reaches beyond"},
		"expanded to 2^40":       {tensor("K\x10", "K\x00", long(1<<40)+"\x85", "K\x00\x85"), "repeats its 16 elements beyond all measure"},
		"expanded to 32 MiB":     {tensor("K\x10", "K\x00", long(8<<20)+"\x85", "K\x00\x85"), "beyond all measure"},
		"storage beyond record":  {tensor("K\x11", "K\x00", "K\x10\x85", "K\x01\x85"), "needs 68 bytes, data/0 has 64"},
		"fewer strides":          {tensor("K\x10", "K\x00", "K\x04K\x04\x86", "K\x01\x85"), "as many strides"},
		"strides of other kinds": {tensor("K\x10", "K\x00", "K\x04\x85", "N\x85"), "as many strides"},
	} {
		t.Run(name, func(t *testing.T) { requireRefused(t, pickled(t, c.pickle), "", c.message) })
	}
}

func TestHostileArchives(t *testing.T) {
	zeros := strings.Repeat("\x00", 20<<20)
	good := member{"x/data.pkl", wholeTensor, zip.Store}
	data := member{"x/data/0", strings.Repeat("\x01", 64), zip.Store}
	overlap := pickled(t, wholeTensor, member{"x/data/1", "", zip.Store})
	entry := overlap[bytes.LastIndex(overlap, []byte("PK\x01\x02")):] // of data/1, which moves to where data/0 is
	copy(entry[20:28], "\x40\x00\x00\x00\x40\x00\x00\x00")
	binary.LittleEndian.PutUint32(entry[42:], uint32(bytes.Index(overlap, []byte("x/data/0"))-30))
	outside := pickled(t, wholeTensor)
	copy(outside[bytes.LastIndex(outside, []byte("PK\x01\x02"))+20:], "\xff\xff\xff\x7f\xff\xff\xff\x7f")
	for name, c := range map[string]struct {
		content []byte
		message string
	}{
		"path upwards":        {archive(t, good, data, member{"x/../../etc/passwd", "x", zip.Store}), "leads out of the archive"},
		"absolute path":       {archive(t, good, data, member{"/etc/passwd", "x", zip.Store}), "leads out of the archive"},
		"windows path":        {archive(t, good, data, member{`x\..\y`, "x", zip.Store}), "leads out of the archive"},
		"other folder":        {archive(t, good, data, member{"y/data.pkl", "x", zip.Store}), `not in the folder "x"`},
		"same name":           {archive(t, good, data, data), "it is there twice"},
		"no data.pkl":         {archive(t, data), "without data.pkl is none of PyTorch's; it holds data/0"},
		"no storage":          {archive(t, good), "the archive lacks data/0"},
		"no members":          {archive(t), "without data.pkl"},
		"big-endian":          {archive(t, good, data, member{"x/byteorder", "big", zip.Store}), `byte order "big"`},
		"before 1.4":          {archive(t, member{"x/model.json", "{}", zip.Store}), "before PyTorch 1.4"},
		"a bomb as a storage": {archive(t, good, member{"x/data/0", zeros, zip.Deflate}), "zip bomb"},
		"a bomb as a pickle":  {archive(t, member{"x/data.pkl", zeros, zip.Deflate}), "zip bomb"},
		"a bomb beside":       {archive(t, good, data, member{"x/code/a.py", zeros, zip.Deflate}), "zip bomb"},
		"overlapping members": {overlap, `"x/data/1" overlaps "x/data/0"`},
		"outside the file":    {outside, "lie outside the file's"},
		"text behind the end": {pickled(t, wholeTensor+"more"), "4 bytes behind the pickle's end"},
		"a header alone":      {[]byte("PK\x03\x04" + strings.Repeat("\x00", 100)), "damaged or cut short"},
	} {
		t.Run(name, func(t *testing.T) { requireRefused(t, c.content, "", c.message) })
	}
}

func TestHostileLegacyStreams(t *testing.T) {
	keys := "\x80\x02]X\x01\x00\x00\x000a."
	count := func(n uint64) string { return string(binary.LittleEndian.AppendUint64(nil, n)) }
	data := strings.Repeat("\x01", 64)
	for name, c := range map[string]struct {
		content []byte
		message string
	}{
		"no storages":          {legacyStream(wholeTensor, "\x80\x02]."), `lacks storage "0"`},
		"an unknown storage":   {legacyStream("\x80\x02}.", keys+count(16)+data), `storage "0" that no tensor has`},
		"storage twice":        {legacyStream(wholeTensor, "\x80\x02]X\x01\x00\x00\x000aX\x01\x00\x00\x000a."+count(16)+data+count(16)+data), "there twice"},
		"2^60 elements":        {legacyStream(wholeTensor, keys+count(1<<60)+data), "has 1152921504606846976 elements, its tensors think 16"},
		"storage cut short":    {legacyStream(wholeTensor, keys+count(16)+data[1:]), "is the download complete?"},
		"count cut short":      {legacyStream(wholeTensor, keys+"\x01"), "is the download complete?"},
		"bytes behind":         {legacyStream(wholeTensor, keys+count(16)+data+"x"), "1 bytes behind the last storage"},
		"another version":      {bytes.Replace(legacyStream(wholeTensor, keys), []byte("\xe9\x03"), []byte("\xea\x03"), 1), "version 1002"},
		"big-endian":           {bytes.Replace(legacyStream(wholeTensor, keys), []byte("\x88s."), []byte("\x89s."), 1), "big-endian"},
		"part outside storage": {legacyStream(strings.Replace(wholeTensor, "K\x10tQ", "K\x10X\x01\x00\x00\x00vK\x08K\x09\x87tQ", 1), keys), "has no part"},
	} {
		t.Run(name, func(t *testing.T) { requireRefused(t, c.content, "", c.message) })
	}
	torchtest.Run(t, func(*torch.Scope) { // what the hostile ones are made from is sound
		part := strings.Replace(wholeTensor, "K\x10tQK\x00K\x10\x85", "K\x10X\x01\x00\x00\x00vK\x08K\x08\x87tQK\x00K\x08\x85", 1)
		for name, content := range map[string][]byte{"zip": pickled(t, wholeTensor), "legacy": legacyStream(wholeTensor, keys+count(16)+data),
			"part": legacyStream(part, keys+count(16)+data)} {
			s, err := checkpoint.Open(write(t, content), "")
			require.NoError(t, err, name)
			defer s.Close()
			require.Equal(t, "\x01\x01\x01\x01", string(s.Bytes("w")[:4]))
		}
	})
}

// exercise opens whatever the bytes are, and reads every tensor: an answer or an error, without a panic.
func exercise(t testing.TB, path string, content []byte) (work uint64) {
	require.NoError(t, os.WriteFile(path, content, 0o644))
	return allocated(func() {
		for _, key := range []string{"", "."} {
			s, err := checkpoint.Open(path, key)
			if err != nil {
				continue
			}
			_ = torch.Run(func(*torch.Scope) error {
				for _, n := range s.Names() {
					info, ok := s.Info(n)
					if !ok {
						t.Errorf("%q is not there", n)
					}
					if info.Bytes > 1<<20 {
						continue
					}
					x, err := s.Load(n, torch.CPU)
					if data := s.Bytes(n); err == nil && (int64(len(data)) != info.Bytes || !bytes.Equal(x.Raw(), data)) {
						t.Errorf("%s: %d bytes, want %d", n, len(data), info.Bytes)
					}
				}
				return nil
			})
			if err := s.Close(); err != nil {
				t.Error(err)
			}
		}
	})
}

// Every fixture, cut short and with bits flipped here and there.
func TestDamagedFiles(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	for file := range fixtures {
		content, err := os.ReadFile(filepath.Join("testdata", file))
		require.NoError(t, err)
		step := max(len(content)/60, 1)
		for at := 0; at < len(content); at += step {
			require.NoError(t, os.WriteFile(path, content[:at], 0o644))
			_, err := checkpoint.Open(path, fixtures[file].key)
			require.Error(t, err, fmt.Sprintf("%s, %d of %d bytes", file, at, len(content)))
			damaged := bytes.Clone(content)
			damaged[at] ^= 1 << (at % 8)
			require.Less(t, exercise(t, path, damaged), uint64(maxWork), "%s, byte %d", file, at)
		}
	}
}
