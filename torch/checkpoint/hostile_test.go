package checkpoint_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"runtime"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch/checkpoint"
)

// maxWork is what opening a small hostile file, and reading all of it, may allocate altogether. The worst of them hold 100,000
// objects in as many bytes, at some 330 bytes each, under the race detector too.
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
	"100,000 lists":            {"\x80\x02(" + strings.Repeat("]", 100_000) + "l.", "no tensors"},
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

// One byte makes an object of fifty: their number is bounded by the pickle's size.
func TestMoreObjectsThanAPickleCanSensiblyHold(t *testing.T) {
	path := write(t, pickled(t, "\x80\x02("+strings.Repeat("]", 3<<19)+"l."))
	work := allocated(func() {
		_, err := checkpoint.Open(path, ".")
		require.ErrorContains(t, err, "more objects than a pickle of")
	})
	require.Less(t, work, uint64(200<<20))
}
