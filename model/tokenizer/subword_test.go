package tokenizer

import (
	"compress/gzip"
	"encoding/base64"
	"encoding/binary"
	"encoding/json"
	"flag"
	"hash/crc32"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/stretchr/testify/assert"
	"github.com/stretchr/testify/require"
)

var sweep = flag.Bool("sweep", false, "compare all code points, not two blocks of 4,096")

// hub reads a file that testdata/make_hub.py has written with Hugging Face's own library.
func hub[T any](t testing.TB, name string) (out T) {
	t.Helper()
	f, err := os.Open(filepath.Join("testdata", "hub", name+".json.gz"))
	require.NoError(t, err)
	defer f.Close()
	z, err := gzip.NewReader(f)
	require.NoError(t, err)
	require.NoError(t, json.NewDecoder(z).Decode(&out))
	return out
}

// wanted is what `tokenizers` gave for the texts.
type wanted struct {
	IDs     [][]int  `json:"ids"`     // without special tokens
	Digests string   `json:"digests"` // crc32 of ids, prompt ids and decoded text, of each text
	Sweep   []uint32 `json:"sweep"`   // of 4,096 code points each
	Texts   []string `json:"texts"`   // what the first prompts decode to
}

func (w wanted) digests(t *testing.T) (out []uint32) {
	raw, err := base64.StdEncoding.DecodeString(w.Digests)
	require.NoError(t, err)
	for ; len(raw) > 0; raw = raw[4:] {
		out = append(out, binary.BigEndian.Uint32(raw))
	}
	return out
}

// digest is make_hub.py's: one number for the ids without and with special tokens and the text of the latter.
func digest(t *testing.T, tok *Subword, text string) uint32 {
	t.Helper()
	ids, err := tok.Encode(text)
	require.NoError(t, err)
	prompt, err := tok.EncodePrompt(text)
	require.NoError(t, err)
	join := func(ids []int) string {
		parts := make([]string, len(ids))
		for i, id := range ids {
			parts[i] = strconv.Itoa(id)
		}
		return strings.Join(parts, ",")
	}
	return crc32.ChecksumIEEE([]byte(join(ids) + ";" + join(prompt) + ";" + tok.Decode(prompt)))
}

// all are the tokenizers of the four families, and variants of them with other options.
func all(t *testing.T) map[string]*Subword {
	t.Helper()
	bases, out := map[string]map[string]json.RawMessage{}, map[string]*Subword{}
	add := func(name string, fields map[string]json.RawMessage) {
		data, err := json.Marshal(fields)
		require.NoError(t, err)
		tok, err := parseSubword(data)
		require.NoError(t, err, name)
		out[name] = tok
	}
	for _, name := range []string{"opt", "t5", "llama", "bert"} {
		bases[name] = hub[map[string]json.RawMessage](t, name)
		add(name, bases[name])
	}
	type variant struct {
		Base   string
		Fields map[string]json.RawMessage
	}
	for name, v := range hub[map[string]variant](t, "variants") {
		fields := maps.Clone(bases[v.Base])
		for key, value := range v.Fields {
			if key == "model" { // its fields are changed one by one
				var model, changed map[string]json.RawMessage
				require.NoError(t, json.Unmarshal(fields["model"], &model))
				require.NoError(t, json.Unmarshal(value, &changed))
				maps.Copy(model, changed)
				merged, err := json.Marshal(model)
				require.NoError(t, err)
				value = merged
			}
			fields[key] = value
		}
		add(name, fields)
	}
	return out
}

// Every tokenizer gives Hugging Face's ids, with and without special tokens, and its text, for 2,600 odd texts.
func TestSubwordsEqualHuggingFace(t *testing.T) {
	texts, want := hub[[]string](t, "texts"), hub[map[string]wanted](t, "want")
	require.Greater(t, len(texts), 2000)
	tokenizers := all(t)
	for _, name := range []string{"opt", "t5", "llama", "bert"} {
		require.Contains(t, tokenizers, name)
	}
	require.Greater(t, len(tokenizers), 20)
	for name, w := range want {
		if tokenizers[name] == nil {
			continue
		}
		t.Run(name, func(t *testing.T) {
			tok, wrong := tokenizers[name], 0
			for i, sum := range w.digests(t) {
				if w.IDs != nil {
					ids, err := tok.Encode(texts[i])
					require.NoError(t, err)
					if !slices.Equal(w.IDs[i], ids) {
						wrong++
						if wrong < 5 {
							t.Errorf("%q: %v, want %v", texts[i], ids, w.IDs[i])
						}
						continue
					}
				}
				if i < len(w.Texts) {
					prompt, err := tok.EncodePrompt(texts[i])
					require.NoError(t, err)
					assert.Equal(t, w.Texts[i], tok.Decode(prompt), "%q", texts[i])
				}
				if digest(t, tok, texts[i]) != sum {
					wrong++
					if wrong < 5 {
						t.Errorf("%q: other ids, prompt or text than in `tokenizers`", texts[i])
					}
				}
			}
			if wrong > 0 {
				t.Errorf("%d of %d texts differ", wrong, len(texts))
			}
		})
	}
}

// everywhere is make_hub.py's: a code point in the places where it could matter.
func everywhere(c rune) string {
	const s = "{c}a {c}{c}\u0301 1{c} ½{c} ﬁ{c}\u0327{c}½ a\u0316{c}\u0334 x<mask>{c}lonely{c}"
	return strings.ReplaceAll(s, "{c}", string(c))
}

// Every code point of Unicode, in texts that normalize, split and merge it, gives Hugging Face's ids and text.
// By default two blocks of 4,096, Burmese to polytonic Greek and the compatibility forms; with -sweep all.
func TestEveryCodePoint(t *testing.T) {
	tokenizers := all(t)
	swept := 0
	for name, w := range hub[map[string]wanted](t, "want") {
		block := -1
		for start := rune(0); start < utf8.MaxRune && len(w.Sweep) > 0; start += 4096 {
			if start >= 0xF1000 && start < 0x10F000 {
				continue // private use, all alike: make_hub.py leaves them out
			}
			block++
			if !*sweep && start != 0x1000 && start != 0xF000 {
				continue
			}
			var sums []byte
			for c := start; c < start+4096 && (c < 0xD800 || c > 0xDFFF); c++ {
				sums = binary.BigEndian.AppendUint32(sums, digest(t, tokenizers[name], everywhere(c)))
			}
			swept++
			assert.Equal(t, w.Sweep[block], crc32.ChecksumIEEE(sums), "%s: a code point of U+%04X to U+%04X", name, start, start+4095)
		}
	}
	require.Greater(t, swept, 20)
}

// A file that asks for what is not computed here is refused by name.
func TestUnknownPartsAreRefused(t *testing.T) {
	for key, value := range map[string]string{
		"normalizer": `{"type": "Magic"}`, "pre_tokenizer": `{"type": "Magic"}`, "post_processor": `{"type": "Magic"}`, "decoder": `{"type": "Magic"}`,
	} {
		fields := hub[map[string]json.RawMessage](t, "opt")
		fields[key] = json.RawMessage(value)
		data, err := json.Marshal(fields)
		require.NoError(t, err)
		_, err = parseSubword(data)
		require.ErrorContains(t, err, "Magic", key)
	}
}

// What was read is written byte for byte.
func TestSubwordFolder(t *testing.T) {
	fields := hub[map[string]json.RawMessage](t, "llama")
	data, err := json.Marshal(fields)
	require.NoError(t, err)
	from, to := t.TempDir(), t.TempDir()
	require.NoError(t, os.WriteFile(filepath.Join(from, "tokenizer.json"), data, 0o644))
	tok, err := Load(from)
	require.NoError(t, err)
	require.NoError(t, tok.SaveTo(to))
	written, err := os.ReadFile(filepath.Join(to, "tokenizer.json"))
	require.NoError(t, err)
	assert.Equal(t, data, written)
	ids, err := tok.EncodePrompt("the dog")
	require.NoError(t, err)
	assert.Equal(t, "the dog", tok.Decode(ids[1:]))
}
