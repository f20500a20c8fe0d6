package data

import (
	"encoding/binary"
	"encoding/json"
	"os"
	"strings"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// golden samples: data.make(split, 6, 1000) of the PyTorch version, six pictures a split from index 1000 on.
type samples map[string]struct {
	Dtype       string
	Shape       []int
	DataOffsets [2]int `json:"data_offsets"`
	bytes       []byte
}

// readSamples is just enough of safetensors for the golden file.
func readSamples(t *testing.T) samples {
	t.Helper()
	data, err := os.ReadFile("testdata/data_samples.safetensors")
	require.NoError(t, err)
	n := binary.LittleEndian.Uint64(data)
	var all samples
	require.NoError(t, json.Unmarshal(data[8:8+n], &all))
	for name, s := range all {
		s.bytes = data[8+int(n):][s.DataOffsets[0]:s.DataOffsets[1]]
		all[name] = s
	}
	require.Len(t, all, 12)
	return all
}

// phrases decodes an int64 tensor [6, 5, length] with the vocabulary.
func (s samples) phrases(t *testing.T, name string) [6][5]string {
	t.Helper()
	vocabulary, err := adVocabulary()
	require.NoError(t, err)
	x := s[name]
	length := x.Shape[2]
	var out [6][5]string
	for i := range 6 {
		for q := range 5 {
			ids := make([]int, length)
			for k := range ids {
				ids[k] = int(binary.LittleEndian.Uint64(x.bytes[8*((i*5+q)*length+k):]))
			}
			out[i][q] = vocabulary.Decode(ids)
		}
	}
	return out
}

func TestAdsEqualThePyTorchVersion(t *testing.T) {
	golden := readSamples(t)
	for name, split := range map[string]adSplit{"train": adTrain, "val": adValidation, "test": adTest, "ood": adOOD} {
		questions, answers := golden.phrases(t, name+".questions"), golden.phrases(t, name+".answers")
		pixels := golden[name+".images"].bytes
		for i := range 6 {
			s := drawScene(split, 1000+i, defaultAds)
			got := make([]uint8, 3*adSize*adSize)
			s.render(got, split.ood)
			require.Equal(t, pixels[i*len(got):(i+1)*len(got)], got, "%s picture %d", name, 1000+i)
			for q, question := range s.questions() {
				assert.Equal(t, questions[i][q], question.Text, "%s picture %d", name, 1000+i)
				assert.Equal(t, []string{answers[i][q]}, question.Answers, "%s picture %d", name, 1000+i)
			}
		}
	}
}

// Harder advertisements ask the same of pictures of which more are covered, and whose colours leave their hues further.
func TestHarderAds(t *testing.T) {
	open := func(ads *Ads) *Dataset {
		d, err := Open(Config{Source: "ads", Train: 400, Validation: 4, Test: 5, OOD: 6, Ads: ads})
		require.NoError(t, err)
		return d
	}
	covered := func(d *Dataset) (n int) {
		for _, s := range d.Train.album.source.(*adPictures).scenes {
			if s.occluded {
				n++
			}
		}
		return n
	}
	plain, same, hard := open(nil), open(&Ads{15, 22}), open(&Ads{Occluded: 45, Jitter: 30})
	assert.Equal(t, plain.Hash(), same.Hash())
	assert.NotEqual(t, plain.Train.Hash(), hard.Train.Hash())
	assert.InDelta(t, 60, covered(plain), 30)
	assert.InDelta(t, 180, covered(hard), 40)
	moved := 0
	for i := range 400 {
		assert.Equal(t, plain.Train.Questions(i)[2].Answers, hard.Train.Questions(i)[2].Answers)
		if plain.Train.album.source.(*adPictures).scenes[i].background != hard.Train.album.source.(*adPictures).scenes[i].background {
			moved++
		}
	}
	assert.Greater(t, moved, 300)
}

func TestAdVocabulary(t *testing.T) {
	vocabulary, err := adVocabulary()
	require.NoError(t, err)
	golden, err := os.ReadFile("testdata/ads_words.txt")
	require.NoError(t, err)
	assert.Equal(t, strings.Fields(string(golden)), vocabulary.Words())
	assert.Equal(t, -1, vocabulary.Unk(), "closed: a new word is an error")
}

func TestOpenAds(t *testing.T) {
	d, err := Open(Config{Source: "ads", Train: 30, Validation: 4, Test: 5, OOD: 6})
	require.NoError(t, err)
	assert.Equal(t, []int{30, 4, 5, 6}, []int{d.Train.Len(), d.Validation.Len(), d.Test.Len(), d.OOD.Len()})
	assert.Equal(t, []string{"color", "manifestations", "content", "logo", "style"}, d.Tasks)
	assert.Equal(t, []string{"bottle", "phone", "cup", "car", "shoe", "book", "house", "ball"}, d.Categories)
	assert.Equal(t, 48, d.Size)
	assert.Equal(t, 150, d.Train.QuestionCount())
	var names []string
	for _, s := range d.Splits() {
		names = append(names, s.Name)
		want, got := make([]uint8, 3*48*48), make([]uint8, 3*48*48)
		for i := range s.Len() {
			scene := s.album.source.(*adPictures).scenes[i]
			scene.render(want, s == d.OOD)
			require.NoError(t, s.Pixels(i, got))
			require.Equal(t, want, got)
			for q, question := range s.Questions(i) {
				assert.Equal(t, d.Tasks[q], question.Task)
				assert.True(t, strings.HasSuffix(s.Questions(i)[2].Answers[0], " on "+question.Category))
				_, err := d.Tokenizer.Encode(question.Text + " " + question.Answers[0])
				assert.NoError(t, err)
			}
		}
	}
	assert.Equal(t, []string{"train", "validation", "test", "ood"}, names)
	assert.NoError(t, CheckVocabulary(d.Tokenizer, d))
}

// A pair that is held out occurs in ood and nowhere else.
func TestHeldOutPairs(t *testing.T) {
	for i := range 500 {
		s := drawScene(adTrain, i, defaultAds)
		assert.False(t, heldOut(s.product, s.hue))
		s = drawScene(adOOD, i, defaultAds)
		assert.True(t, heldOut(s.product, s.hue))
	}
}

func TestAdsAtAnotherSize(t *testing.T) {
	small := Config{Source: "ads", Train: 2, Validation: 1, Test: 1, OOD: 1, Size: 24}
	d, err := Open(small)
	require.NoError(t, err)
	assert.NoError(t, d.Train.Pixels(1, make([]uint8, 3*24*24)))
	small.Size = 48
	whole, err := Open(small)
	require.NoError(t, err)
	assert.NotEqual(t, whole.Hash(), d.Hash())
}

// Drawings are made when they are first asked for, once, by whichever goroutine comes first, and are the same bytes as those
// that are never kept.
func TestAdsAreDrawnAtFirstUse(t *testing.T) {
	cfg := Config{Source: "ads", Train: 6, Validation: 1, Test: 1, OOD: 2}
	kept, err := Open(cfg)
	require.NoError(t, err)
	assert.Equal(t, make([]uint8, len(kept.Train.album.pixels)), kept.Train.album.pixels, "nothing is drawn yet")
	cfg.MemoryBudget = 1
	fresh, err := Open(cfg)
	require.NoError(t, err)
	require.Nil(t, fresh.Train.album.pixels)
	for k, s := range kept.Splits() {
		n := s.album.bytes()
		got := make([]uint8, 4*s.Len()*n)
		parallel(4*s.Len(), func(i int) { assert.NoError(t, s.Pixels(i/4, got[i*n:(i+1)*n])) })
		want := make([]uint8, n)
		for i := range 4 * s.Len() {
			require.NoError(t, fresh.Splits()[k].Pixels(i/4, want))
			require.Equal(t, want, got[i*n:(i+1)*n])
		}
		divided := s.Divide([]Part{{0, 0, 2}, {0, 2, 5}})
		require.NoError(t, divided.Pixels(1, got[:n]))
		require.NoError(t, fresh.Splits()[k].Pixels(0, want))
		assert.Equal(t, want, got[:n], "parts share their picture's drawing")
		clear(s.album.pixels)
		require.NoError(t, s.Pixels(0, got[:n]))
		assert.Equal(t, make([]uint8, n), got[:n], "drawn once")
	}
}

func BenchmarkOpenAds(b *testing.B) {
	for b.Loop() {
		if _, err := Open(Config{Source: "ads"}); err != nil {
			b.Fatal(err)
		}
	}
}
