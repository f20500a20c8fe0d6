package model

import (
	"fmt"
	"math"
)

// The most that a config.json may ask for. They are far above any network of this kind that there is; a file beyond them is
// damaged or made to use up the memory, and is refused before anything is allocated for it.
const (
	mostLayers     = 1 << 12
	mostWidth      = 1 << 20
	mostRows       = 1 << 24 // words of a vocabulary, positions
	mostParameters = 1 << 44

	mostBytes = 16 << 20 // in memory a file can take twenty times its size
	mostDepth = 64       // of lists and objects; a file that is written again is indented
)

// checkJSON bounds what a config.json may cost, before it is parsed. It counts brackets outside of texts; the parser finds
// out whether they match.
func checkJSON(data []byte) error {
	if len(data) > mostBytes {
		return fmt.Errorf("the file has %d bytes, at most %d are read; is it a config.json?", len(data), mostBytes)
	}
	depth, quoted := 0, false
	for i := 0; i < len(data); i++ {
		switch c := data[i]; {
		case c == '"':
			quoted = !quoted
		case quoted && c == '\\':
			i++
		case !quoted && (c == '[' || c == '{'):
			if depth++; depth > mostDepth {
				return fmt.Errorf("lists and objects lie %d deep in each other, at most %d are read; is it a config.json?", depth, mostDepth)
			}
		case !quoted && (c == ']' || c == '}'):
			depth--
		}
	}
	return nil
}

// checkBounds refuses sizes that no network has, and sizes whose products are too large.
func (c *Config) checkBounds(fault func(format string, args ...any)) {
	v, q, t := c.Vision, c.QFormer, c.Text
	type bound struct {
		key                string
		value, least, most int
	}
	var towers []bound
	if c.Towers() {
		towers = []bound{
			{"vision_config.hidden_size", v.Hidden, 1, mostWidth}, {"vision_config.intermediate_size", v.Intermediate, 1, mostWidth},
			{"vision_config.num_hidden_layers", v.Layers, 1, mostLayers}, {"vision_config.num_attention_heads", v.Heads, 0, mostWidth},
			{"vision_config.head size", v.HeadSize, 1, mostWidth}, {"vision_config.image_size", v.Image, 1, mostWidth},
			{"vision_config.patch_size", v.Patch, 1, mostWidth},
			{"qformer_config.hidden_size", q.Hidden, 1, mostWidth}, {"qformer_config.intermediate_size", q.Intermediate, 1, mostWidth},
			{"qformer_config.num_hidden_layers", q.Layers, 1, mostLayers}, {"qformer_config.num_attention_heads", q.Heads, 0, mostWidth},
			{"qformer_config.head size", q.HeadSize, 1, mostWidth}, {"qformer_config.cross_attention_frequency", q.CrossEvery, 1, math.MaxInt32},
			{"qformer_config.vocab_size", q.Vocabulary, 0, mostRows}, {"qformer_config.max_position_embeddings", q.Positions, 0, mostRows},
			{"num_query_tokens", c.Queries, 1, mostWidth},
		}
	}
	for _, n := range append(towers, []bound{
		{"text_config: the hidden size", t.Hidden, 1, mostWidth}, {"text_config: the feed-forward width", t.Intermediate, 1, mostWidth},
		{"text_config: the number of layers", t.Layers, 1, mostLayers}, {"text_config: the number of decoder layers", t.DecoderLayers, 0, mostLayers},
		{"text_config: the number of heads", t.Heads, 0, mostWidth}, {"text_config: the head size", t.HeadSize, 1, mostWidth},
		{"text_config.vocab_size", t.Vocabulary, 1, mostRows}, {"text_config.max_position_embeddings", t.Positions, 0, math.MaxInt32},
		{"text_config.word_embed_proj_dim", t.Embedding, 0, mostWidth}, {"text_config.position_offset", t.offset(), 0, mostRows},
		{"text_config.relative_attention_num_buckets", t.Buckets, 0, mostRows},
		{"text_config.relative_attention_max_distance", t.MaxDistance, 0, math.MaxInt32},
	}...) {
		switch {
		case n.value < n.least:
			fault("%s is %d, at least %d is needed", n.key, n.value, n.least)
		case n.value > n.most:
			fault("%s is %d, at most %d is computed", n.key, n.value, n.most)
		}
	}
	if total := v.parameters() + q.parameters() + t.parameters(); total > mostParameters {
		fault("the sizes multiply to %.3g parameters, at most %.3g are computed", total, float64(mostParameters))
	}
}

// block is roughly what one layer holds: four projections of attention and two of the feed-forward. These counts are in
// float64, which does not overflow.
func block(hidden, heads, headSize, intermediate int) float64 {
	return float64(hidden) * (4*float64(heads)*float64(headSize) + 2*float64(intermediate))
}

func (c *VisionConfig) parameters() float64 {
	patches := math.Pow(float64(c.Image)/max(1, float64(c.Patch)), 2)
	return float64(c.Layers)*block(c.Hidden, c.Heads, c.HeadSize, c.Intermediate) +
		float64(c.Hidden)*(patches+3*float64(c.Patch)*float64(c.Patch))
}

func (c *QFormerConfig) parameters() float64 {
	return float64(c.Layers)*block(c.Hidden, c.Heads, c.HeadSize, c.Intermediate) +
		float64(c.Hidden)*(float64(c.Vocabulary)+float64(c.Positions))
}

func (c *TextConfig) parameters() float64 {
	words := float64(c.Vocabulary) * float64(c.Embedding)
	if c.ModelType == "opt" { // the others compute their positions
		words += float64(c.Positions) * float64(c.Hidden)
	}
	return (float64(c.Layers)+float64(c.DecoderLayers))*block(c.Hidden, c.Heads, c.HeadSize, c.Intermediate) + words
}
