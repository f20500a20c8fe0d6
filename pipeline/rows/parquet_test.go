package rows

import (
	"bytes"
	"encoding/binary"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/parquet-go/parquet-go"
	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// Files of pyarrow, with and without compression and dictionaries, in both versions of pages: see testdata/make_parquet.py.
func TestParquetOfPyarrow(t *testing.T) {
	for _, name := range []string{"snappy", "zstd2", "plain"} {
		all, faults := readSource("testdata", Source{Parquet, []string{"testdata/" + name + ".parquet"}}, false)
		require.Empty(t, faults, name)
		require.Len(t, all, 13)
		assert.Equal(t, []string{"answer 0"}, all[0].Answers)
		assert.Empty(t, all[1].Answers)
		assert.Equal(t, []string{"one"}, all[2].Answers)
		assert.Equal(t, []string{"answer 3", "zwölf", "two"}, all[3].Answers)
		assert.Equal(t, "a", all[2].Task)
		assert.Empty(t, all[3].Task)
		assert.Equal(t, name+".parquet: row group 1, row 2", all[7].Place)
		for _, i := range []int{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 3, 11, 0, 2, 1} { // in their order, and in none
			data, err := all[i].Picture.Read()
			require.NoError(t, err)
			assert.Equal(t, strings.Repeat(fmt.Sprintf("picture %d", i/2), 50), string(data))
			assert.Equal(t, fmt.Sprintf("question %d", i), all[i].Question)
		}
		_, err := all[12].Picture.Read()
		assert.ErrorContains(t, err, "row group 2, row 2: the picture has no bytes (null)")
		assert.ErrorContains(t, all[0].Picture.Check(), "row group 0, row 0: not a picture")
	}
	all, faults := readSource("testdata", Source{Parquet, []string{"testdata/vqa.parquet"}}, true)
	require.Empty(t, faults)
	assert.Equal(t, []string{"2", "two", "2"}, all[0].Answers)
	all, faults = readSource("testdata", Source{Parquet, []string{"testdata/llava.parquet"}}, true)
	require.Empty(t, faults)
	var asked []string
	for _, r := range all {
		asked = append(asked, r.Question+" "+r.Answers[0])
	}
	assert.Equal(t, []string{"what this", "and that", "who she"}, asked)
	assert.Len(t, Pictures(all), 2)
}

// parquetOf is a file of the rows of any struct.
func parquetOf[T any](t *testing.T, rows ...T) string {
	t.Helper()
	var out bytes.Buffer
	w := parquet.NewGenericWriter[T](&out)
	_, err := w.Write(rows)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	return out.String()
}

func TestFaultsOfParquet(t *testing.T) {
	type plain struct {
		Question string `parquet:"question"`
		Answer   int32  `parquet:"answer"`
	}
	type item struct {
		Texts []string `parquet:"texts"`
	}
	type nested struct {
		Question string `parquet:"question"`
		Answers  []item `parquet:"answers"`
	}
	type images struct {
		Question string  `parquet:"question"`
		Image    []int64 `parquet:"image"`
	}
	type named struct {
		Question string `parquet:"question"`
		Picture  string `parquet:"picture"`
	}
	type content struct {
		Bytes []byte `parquet:"bytes"`
	}
	type other1 struct {
		Question string  `parquet:"question"`
		Img      content `parquet:"img"`
	}
	type other2 struct {
		Question string `parquet:"question"`
		Jpg      []byte `parquet:"jpg"`
	}
	type slip struct {
		Question string `parquet:"question"`
		Anwser   string `parquet:"anwser"`
	}
	type other struct {
		Text string `parquet:"text"`
	}
	for name, c := range map[string]struct{ text, want string }{
		"number":      {parquetOf(t, plain{"a", 7}), `m.parquet: row group 0, row 0: "answer" is 7 and no text; write the column as strings`},
		"struct":      {parquetOf(t, other1{"a", content{[]byte("x")}}), `m.parquet: no row names a picture, but the column "img" holds bytes; rename it to "image"`},
		"bytes":       {parquetOf(t, other2{"a", []byte("x")}), `m.parquet: no row names a picture, but the column "jpg" holds bytes; rename it to "image"`},
		"names":       {parquetOf(t, named{"a", "b/1.png"}), `m.parquet: row group 0, row 0: no row names a picture, but "picture" is "b/1.png"; rename the key to "file_name"`},
		"list":        {parquetOf(t, nested{"a", []item{{[]string{"b"}}}}), `m.parquet: row group 0: cannot be read (column "answers": a list within a list`},
		"pictures":    {parquetOf(t, images{"a", []int64{1}}), `m.parquet: cannot be read as Parquet (the column "image" holds no bytes`},
		"slip":        {parquetOf(t, slip{"a", "b"}), `m.parquet: unknown key "anwser" (did you mean "answer"?)`},
		"no question": {parquetOf(t, other{"a"}), `m.parquet: no column "question" among text`},
		"no rows":     {parquetOf[slip](t), `m.parquet: unknown key`},
		"long":        {parquetOf(t, plain{strings.Repeat("x", maxRow), 1}), `row 0: "question" has 1048578 bytes`},
		"text":        {"no Parquet", "m.parquet: cannot be read as Parquet (it does not end as Parquet files do"},
		"empty":       {"", "m.parquet: cannot be read as Parquet"},
		"footer":      {"PAR1" + string(binary.LittleEndian.AppendUint32(nil, 1<<31)) + "PAR1", "its footer would have 2147483648 bytes"},
	} {
		_, faults := readText(t, "m.parquet", c.text, false)
		require.NotEmpty(t, faults, name)
		assert.Contains(t, faults[0], c.want, name)
	}
}

// A column image of texts holds the names of files, as pandas writes it.
func TestParquetOfNames(t *testing.T) {
	type row struct {
		Image    string `parquet:"image"`
		Question string `parquet:"question"`
		Answer   string `parquet:"answer"`
	}
	all, faults := readText(t, "m.parquet", parquetOf(t, row{"images/1.png", "a", "b"}), true)
	require.Empty(t, faults)
	assert.Equal(t, []Row{{"a", "", "", []string{"b"}, File("images/1.png"), "m.parquet: row group 0, row 0"}}, all)
}

// Pictures that several goroutines ask for cost one pass over each row group.
func TestParquetIsReadOnce(t *testing.T) {
	type row struct {
		Image    []byte `parquet:"image"`
		Question string `parquet:"question"`
		Answer   string `parquet:"answer"`
	}
	const count, groups = 600, 3
	var all []row
	for i := range count {
		all = append(all, row{bytes.Repeat([]byte{byte(i), byte(i >> 8)}, 500), "a", "b"})
	}
	var out bytes.Buffer
	w := parquet.NewGenericWriter[row](&out, parquet.MaxRowsPerRowGroup(count/groups), parquet.PageBufferSize(4096))
	_, err := w.Write(all)
	require.NoError(t, err)
	require.NoError(t, w.Close())
	rows, faults := readText(t, "m.parquet", out.String(), true)
	require.Empty(t, faults)
	require.Len(t, rows, count)
	var next atomic.Int64
	var workers sync.WaitGroup
	for range 16 {
		workers.Go(func() {
			for i := int(next.Add(1)) - 1; i < count; i = int(next.Add(1)) - 1 {
				if i%7 == 0 {
					time.Sleep(100 * time.Microsecond) // others go ahead, over the ends of pages and groups
				}
				data, err := rows[i].Picture.Read()
				assert.NoError(t, err)
				assert.Equal(t, all[i].Image, data)
			}
		})
	}
	workers.Wait()
	assert.Equal(t, groups, rows[0].Picture.(cell).file.cells.opens)
	_, err = rows[0].Picture.Read()
	require.NoError(t, err)
}

// A damaged file is a fault, or reads as other texts and pictures: it never ends the program.
func TestDamagedParquet(t *testing.T) {
	for _, name := range []string{"snappy", "zstd2", "plain"} {
		whole, err := os.ReadFile("testdata/" + name + ".parquet")
		require.NoError(t, err)
		path := filepath.Join(t.TempDir(), "m.parquet")
		faulty := 0
		for at := 0; at < len(whole); at += len(whole)/150 + 1 {
			for _, damaged := range [][]byte{append(bytes.Clone(whole[:at]), whole[min(at+3, len(whole)):]...), flipped(whole, at)} {
				require.NoError(t, os.WriteFile(path, damaged, 0o644))
				all, faults := readSource(filepath.Dir(path), Source{Parquet, []string{path}}, false)
				for _, r := range all {
					if r.Picture == nil {
						continue
					}
					if _, err := r.Picture.Read(); err != nil {
						faults = append(faults, err.Error())
					}
				}
				if len(faults) > 0 {
					faulty++
				}
			}
		}
		assert.Greater(t, faulty, 50, name)
	}
}

func flipped(data []byte, at int) []byte {
	out := bytes.Clone(data)
	out[at] ^= 0x5a
	return out
}
