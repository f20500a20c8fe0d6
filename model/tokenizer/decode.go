package tokenizer

import (
	"encoding/json"
	"fmt"
	"strings"
)

// A decoder turns the texts of tokens into texts that, joined, are the text of the ids.
type decoder func([]string) []string

// readDecoder gives nil where the file has none: then the tokens are joined with spaces.
func readDecoder(data json.RawMessage, nesting int) (decoder, error) {
	if isNull(data) {
		return nil, nil
	}
	p, err := readPart("decoder", data)
	if err != nil {
		return nil, err
	}
	switch p.Type {
	case "Sequence":
		return readDecoders(p, nesting)
	case "ByteLevel":
		_, err := readByteLevel(p)
		return byteText, err
	case "Metaspace":
		m, err := readMetaspace(p)
		if err != nil {
			return nil, err
		}
		return m.decode, nil
	case "Replace":
		r, err := readReplacement(p)
		if err != nil {
			return nil, err
		}
		return every(r.text), nil
	case "ByteFallback":
		return bytesBack, p.read(&struct{ Type string }{})
	case "Fuse":
		return func(t []string) []string { return []string{strings.Join(t, "")} }, p.read(&struct{ Type string }{})
	case "Strip":
		return readStrip(p)
	case "WordPiece":
		return readPieces(p)
	case "BPEDecoder":
		var f struct{ Type, Suffix string }
		err := p.read(&f)
		return func(t []string) []string { return endings(t, f.Suffix) }, err
	}
	return nil, p.unknown()
}

func readDecoders(p part, nesting int) (decoder, error) {
	parts, err := p.sequence("decoders", nesting)
	if err != nil {
		return nil, err
	}
	var all []decoder
	for i, data := range parts {
		one, err := readDecoder(data, nesting+1)
		if err != nil {
			return nil, err
		}
		if one == nil {
			return nil, fmt.Errorf("decoder %d of the Sequence is null; remove it", i)
		}
		all = append(all, one)
	}
	return func(tokens []string) []string {
		for _, one := range all {
			tokens = one(tokens)
		}
		return tokens
	}, nil
}

// every applies f to each token.
func every(f func(string) string) decoder {
	return func(tokens []string) []string {
		out := make([]string, len(tokens))
		for i, t := range tokens {
			out[i] = f(t)
		}
		return out
	}
}

// decode writes the marks as spaces again; the one that was put before the text falls away, with every other
// of the first token.
func (m *metaspace) decode(tokens []string) []string {
	out := make([]string, len(tokens))
	for i, t := range tokens {
		space := " "
		if i == 0 && (m.always || m.first) {
			space = ""
		}
		out[i] = strings.ReplaceAll(t, m.mark, space)
	}
	return out
}

// readStrip cuts up to so many of a character off the ends of each token.
func readStrip(p part) (decoder, error) {
	var f struct {
		Type, Content string
		Start, Stop   uint32
	}
	if err := p.read(&f); err != nil {
		return nil, err
	}
	if _, err := runeOf(p, "content", f.Content); err != nil {
		return nil, err
	}
	return every(func(token string) string {
		for n := f.Start; n > 0 && strings.HasPrefix(token, f.Content); n-- {
			token = token[len(f.Content):]
		}
		for n := f.Stop; n > 0 && strings.HasSuffix(token, f.Content); n-- {
			token = token[:len(token)-len(f.Content)]
		}
		return token
	}), nil
}

// cleanups take back, in this order, the spaces that splitting put around punctuation and English endings.
var cleanups = [][2]string{
	{" .", "."}, {" ?", "?"}, {" !", "!"}, {" ,", ","}, {" ' ", "'"}, {" n't", "n't"}, {" 'm", "'m"},
	{" do not", " don't"}, {" 's", "'s"}, {" 've", "'ve"}, {" 're", "'re"},
}

// readPieces joins WordPiece tokens: one that continues a word loses its prefix, any other but the first gets a
// space.
func readPieces(p part) (decoder, error) {
	f := struct {
		Type, Prefix string
		Cleanup      bool
	}{Prefix: "##", Cleanup: true}
	if err := p.read(&f); err != nil {
		return nil, err
	}
	return func(tokens []string) []string {
		out := make([]string, len(tokens))
		for i, t := range tokens {
			if i > 0 {
				rest, continues := strings.CutPrefix(t, f.Prefix)
				if t = rest; !continues {
					t = " " + t
				}
			}
			if f.Cleanup {
				for _, c := range cleanups {
					t = strings.ReplaceAll(t, c[0], c[1])
				}
			}
			out[i] = t
		}
		return out
	}, nil
}

// endings makes a space of the suffix that ends a word, but for the last token.
func endings(tokens []string, suffix string) []string {
	out := make([]string, len(tokens))
	for i, t := range tokens {
		space := " "
		if i == len(tokens)-1 {
			space = ""
		}
		out[i] = strings.ReplaceAll(t, suffix, space)
	}
	return out
}
