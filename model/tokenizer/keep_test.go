package tokenizer

import (
	"encoding/json"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"testing"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

// withFiles gives a tokenizer the file that it was parsed from.
func withFiles(t *testing.T, name string) *Subword {
	t.Helper()
	folder := t.TempDir()
	data, err := json.Marshal(hub[map[string]json.RawMessage](t, name))
	require.NoError(t, err)
	require.NoError(t, os.WriteFile(filepath.Join(folder, fileTokenizer), data, 0o644))
	config := `{"added_tokens_decoder": {"2": {"content": "x"}, "999999": {"content": "y"}}, "model_max_length": 1000000000000000019884624838656}`
	require.NoError(t, os.WriteFile(filepath.Join(folder, fileConfig), []byte(config), 0o644))
	tok, err := Load(folder)
	require.NoError(t, err)
	return tok.(*Subword)
}

// A third of the odd texts are the data: with their tokens, and those that these need, they encode as before; every other text
// still encodes.
func TestKeepEncodesTheDataAsBefore(t *testing.T) {
	texts := hub[[]string](t, "texts")
	for _, name := range []string{"opt", "t5", "llama", "bert"} {
		t.Run(name, func(t *testing.T) {
			tok := withFiles(t, name)
			used := map[int]bool{}
			for i := 0; i < len(texts); i += 3 {
				ids, err := tok.EncodePrompt(texts[i])
				require.NoError(t, err)
				for _, id := range ids {
					used[id] = true
				}
			}
			ids := Needs(tok, slices.Sorted(maps.Keys(used)))
			require.Less(t, len(ids), tok.Size())
			kept, err := Keep(tok, ids)
			require.NoError(t, err)
			assert.Equal(t, len(ids), kept.Size())
			assert.Equal(t, tok.EOS(), ids[kept.EOS()])
			assert.Equal(t, tok.Pad(), ids[kept.Pad()])

			folder := t.TempDir()
			require.NoError(t, kept.SaveTo(folder))
			kept, err = Load(folder)
			require.NoError(t, err)
			others := 0
			for i, text := range texts {
				want, err := tok.EncodePrompt(text)
				require.NoError(t, err)
				got, err := kept.EncodePrompt(text)
				require.NoError(t, err, "%q", text)
				before := make([]int, len(got))
				for k, id := range got {
					before[k] = ids[id]
				}
				if i%3 == 0 {
					require.Equal(t, append([]int{}, want...), before, "%q", text)
					require.Equal(t, tok.Decode(want), kept.(*Subword).Decode(got), "%q", text)
				} else if !slices.Equal(want, before) {
					others++
				}
			}
			assert.NotZero(t, others, "no text has lost a token")
			written, err := os.ReadFile(filepath.Join(folder, fileConfig))
			require.NoError(t, err)
			at, _ := slices.BinarySearch(ids, 2)
			assert.JSONEq(t, `{"added_tokens_decoder": {"`+string(rune('0'+at))+`": {"content": "x"}}, "model_max_length": 1000000000000000019884624838656}`, string(written))
		})
	}
}

// A token of byte-pair encoding needs those that it is merged from: without one of them the data would encode otherwise.
func TestKeepNeedsWhatTokensAreMergedFrom(t *testing.T) {
	tok := withFiles(t, "opt")
	used, err := tok.Encode("The quick brown fox")
	require.NoError(t, err)
	m := tok.model.(*bpe)
	lost := 0
	ids := Needs(tok, used)
	for i, id := range ids {
		token, _ := m.token(id)
		if slices.Contains(used, id) || len([]rune(token)) < 2 || tok.added.special[token] {
			continue
		}
		kept, err := Keep(tok, slices.Delete(slices.Clone(ids), i, i+1))
		require.NoError(t, err)
		got, err := kept.Encode("The quick brown fox")
		require.NoError(t, err)
		assert.Greater(t, len(got), len(used), "without %q", token)
		lost++
	}
	assert.NotZero(t, lost)
}

func TestKeepOfAllIsTheSame(t *testing.T) {
	texts := hub[[]string](t, "texts")[:300]
	for _, name := range []string{"opt", "t5", "llama", "bert"} {
		tok := withFiles(t, name)
		var every []int
		for id := range tok.Size() {
			every = append(every, id)
		}
		kept, err := Keep(tok, append(every, tok.Size()+3)) // a row without a token
		require.NoError(t, err)
		for _, text := range texts {
			want, err := tok.EncodePrompt(text)
			require.NoError(t, err)
			got, err := kept.EncodePrompt(text)
			require.NoError(t, err)
			require.Equal(t, want, got)
		}
	}
}

func TestKeepOfAWordList(t *testing.T) {
	tok, err := NewWordLevel([]string{PadWord, EOSWord, UnkWord, "a", "b", "c"})
	require.NoError(t, err)
	ids := Needs(tok, []int{4})
	assert.Equal(t, []int{0, 1, 2, 4}, ids)
	kept, err := Keep(tok, ids)
	require.NoError(t, err)
	got, err := kept.Encode("a b c")
	require.NoError(t, err)
	assert.Equal(t, []int{2, 3, 2}, got)
	_, err = Keep(tok, []int{0, 4})
	assert.ErrorContains(t, err, "cut to 2 tokens")
}

func TestKeepRefusesWhatIsNeeded(t *testing.T) {
	tok := withFiles(t, "bert")
	ids := Needs(tok, nil)
	cls, _ := tok.ID("[CLS]")
	_, err := Keep(tok, slices.DeleteFunc(ids, func(id int) bool { return id == cls }))
	assert.ErrorContains(t, err, "is needed, and is not kept")
}
