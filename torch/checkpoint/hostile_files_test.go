package checkpoint_test

import (
	"archive/zip"
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/torch"
	"espalier/torch/checkpoint"
	"espalier/torch/torchtest"
)

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
		"no storage":          {archive(t, good), "the archive has no data/0"},
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
		"no storages":          {legacyStream(wholeTensor, "\x80\x02]."), `has no storage "0"`},
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

func TestMalformedSafeTensorsTakeLittleMemory(t *testing.T) {
	path := filepath.Join(t.TempDir(), "x")
	for name, c := range malformed {
		require.Less(t, exercise(t, path, c.content), uint64(maxWork), name)
	}
}
