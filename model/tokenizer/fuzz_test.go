package tokenizer

import (
	"encoding/json"
	"testing"
)

// Small tokenizers of each kind, to start from.
var small = []string{
	`{"version":"1.0","added_tokens":[{"id":4,"content":"<s>","special":true,"lstrip":true}],"pre_tokenizer":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},
	  "post_processor":{"type":"TemplateProcessing","single":[{"SpecialToken":{"id":"<s>","type_id":0}},{"Sequence":{"id":"A","type_id":0}}],"pair":[],"special_tokens":{"<s>":{"id":"<s>","ids":[4],"tokens":["<s>"]}}},
	  "decoder":{"type":"ByteLevel","add_prefix_space":true,"trim_offsets":true,"use_regex":true},"model":{"type":"BPE","vocab":{"a":0,"b":1,"Ġ":2,"ab":3},"merges":["a b"]}}`,
	`{"version":"1.0","added_tokens":[],"normalizer":{"type":"Sequence","normalizers":[{"type":"Prepend","prepend":"▁"},{"type":"Replace","pattern":{"String":" "},"content":"▁"}]},
	  "decoder":{"type":"Sequence","decoders":[{"type":"ByteFallback"},{"type":"Fuse"}]},"model":{"type":"BPE","unk_token":"<unk>","fuse_unk":true,"byte_fallback":true,"vocab":{"<unk>":0,"▁":1,"a":2,"▁a":3,"<0x41>":4},"merges":[["▁","a"]]}}`,
	`{"version":"1.0","added_tokens":[{"id":0,"content":"<pad>","normalized":true}],"normalizer":{"type":"NFKC"},"pre_tokenizer":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"},
	  "decoder":{"type":"Metaspace","replacement":"▁","prepend_scheme":"always"},"model":{"type":"Unigram","unk_id":1,"vocab":[["<pad>",0],["<unk>",0],["▁a",-1.5],["b",-2]]}}`,
	`{"version":"1.0","added_tokens":[],"normalizer":{"type":"BertNormalizer","clean_text":true,"handle_chinese_chars":true,"strip_accents":null,"lowercase":true},"pre_tokenizer":{"type":"BertPreTokenizer"},
	  "decoder":{"type":"WordPiece","prefix":"##","cleanup":true},"model":{"type":"WordPiece","unk_token":"[UNK]","continuing_subword_prefix":"##","max_input_chars_per_word":10,"vocab":{"[UNK]":0,"a":1,"##b":2}}}`,
}

// Whatever the file and the text, the answer is ids or an error: never a panic, never an id outside the
// tokenizer's size. `go test -fuzz=FuzzSubword ./model/tokenizer` goes on.
func FuzzSubword(f *testing.F) {
	for i, file := range small {
		if _, err := parseSubword([]byte(file)); err != nil {
			f.Fatal(i, err) // a seed that is refused teaches the fuzzer nothing
		}
		for _, text := range []string{"", "ab a <s> b", "É\u0301漢 ½\x00", "<pad>▁a  A"} {
			f.Add([]byte(file), text)
		}
	}
	f.Fuzz(func(t *testing.T, file []byte, text string) {
		tok, err := parseSubword(file)
		if err != nil {
			return
		}
		ids, err := tok.EncodePrompt(text)
		if err != nil {
			return
		}
		for _, id := range ids {
			if id < 0 {
				t.Errorf("id %d of %q", id, text)
			}
		}
		tok.Decode(append(ids, -1, tok.Size()))
	})
}

func BenchmarkSubword(b *testing.B) {
	texts := hub[[]string](b, "texts")
	for _, name := range []string{"opt", "t5", "llama", "bert"} {
		file := []byte(hub[json.RawMessage](b, name))
		b.Run("load/"+name, func(b *testing.B) {
			b.SetBytes(int64(len(file)))
			for b.Loop() {
				if _, err := parseSubword(file); err != nil {
					b.Fatal(err)
				}
			}
		})
		tok, err := parseSubword(file)
		if err != nil {
			b.Fatal(err)
		}
		bytes := 0
		for _, text := range texts {
			bytes += len(text)
		}
		b.Run("encode/"+name, func(b *testing.B) {
			b.SetBytes(int64(bytes))
			for b.Loop() {
				for _, text := range texts {
					if _, err := tok.Encode(text); err != nil {
						b.Fatal(err)
					}
				}
			}
		})
	}
}
