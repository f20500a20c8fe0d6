package config

import (
	"fmt"
	"math"
	"reflect"
	"strconv"
	"strings"
)

// Keep says how many units of an axis stay. Its zero value keeps them all.
type Keep struct {
	Units int     // this many; 0 when Share is given
	Share float64 // this share of the original, in (0, 1]
}

// Whole tells whether everything stays.
func (k Keep) Whole() bool { return k == Keep{} || k.Share == 1 }

// Count is how many of original units stay. A share is rounded to the nearest multiple of multipleOf and
// never below one multiple, so that the widths suit the hardware; a count is taken as it was written, even
// one above original, which the caller refuses since it knows the axis' name.
func (k Keep) Count(original, multipleOf int) int {
	switch {
	case k.Units > 0:
		return k.Units
	case k.Whole():
		return original
	}
	m := max(multipleOf, 1)
	n := int(math.Round(k.Share*float64(original)/float64(m))) * m
	return min(max(n, m), original)
}

func (k Keep) String() string {
	switch {
	case k.Units > 0:
		return strconv.Itoa(k.Units)
	case k.Share > 0:
		// Rounded: 0.29 × 100 is 28.999999999999996, and no user wrote that.
		return strconv.FormatFloat(math.Round(k.Share*1e12)/1e10, 'g', -1, 64) + "%"
	}
	return "100%"
}

// Towers says what stays in each tower, and of the tokens between them; what is left out stays whole.
type Towers struct {
	Vision   TowerKeep `toml:"vision" range:"[1,1000000000]" example:"50%" doc:"of the vision tower: a number of units, or a share of them"`
	QFormer  TowerKeep `toml:"qformer" range:"[1,1000000000]" example:"50%" doc:"of the Q-Former"`
	Language TowerKeep `toml:"language" range:"[1,1000000000]" example:"50%" doc:"of the language model"`
	Queries  Keep      `toml:"queries" range:"[1,1000000000]" example:"#8" doc:"query tokens, which are all that the language model sees of a picture; in a stage of any name"`

	Vocabulary VocabularyKeep `toml:"vocabulary" choices:"used" range:"[1,1000000000]" example:"#used" doc:"the language model's tokens, in a stage of any name: used are those of the training questions and answers, a count or a share takes the most frequent; the tokenizer is written anew"`
}

// TowerKeep is Units for the stages blocks and hidden, Heads, HeadSize and FFN for inner.
type TowerKeep struct {
	Units    Keep
	Heads    Keep `toml:"heads" range:"[1,1000000000]" example:"2" doc:"in a stage inner: attention heads of each block"`
	HeadSize Keep `toml:"head_size" range:"[1,1000000000]" example:"100%" doc:"in a stage inner: dimensions of each head, for queries and keys and as many for values"`
	FFN      Keep `toml:"ffn" range:"[1,1000000000]" example:"33%" doc:"in a stage inner: width of each feed-forward network"`
}

// TowerNames are the keys of Towers.
var TowerNames = []string{"vision", "qformer", "language"}

// Of is what is kept of the tower with that name.
func (k *Towers) Of(tower string) *TowerKeep {
	return map[string]*TowerKeep{"vision": &k.Vision, "qformer": &k.QFormer, "language": &k.Language}[tower]
}

// Whole tells whether nothing of the tower is cut.
func (k TowerKeep) Whole() bool {
	return k.Units.Whole() && k.Heads.Whole() && k.HeadSize.Whole() && k.FFN.Whole()
}

// Whole tells whether nothing is cut at all.
func (k Towers) Whole() bool { return k.wholeTowers() && !k.cutsTokens() }

func (k Towers) wholeTowers() bool {
	return k.Vision.Whole() && k.QFormer.Whole() && k.Language.Whole()
}

func (k *TowerKeep) visit(t *table, of *key) {
	if t.up.owner.(*StageConfig).Name != "inner" {
		k.Units.visit(t, of)
		if k.Heads != (Keep{}) || k.HeadSize != (Keep{}) || k.FFN != (Keep{}) { // by a program
			t.fault(of.name, "heads, head_size and ffn are cut by a stage inner alone: leave them out")
		}
		return
	}
	value, given := t.in[of.name]
	if _, isTable := value.(map[string]any); given && !isTable || k.Units != (Keep{}) {
		k.visitBare(t, of)
		return
	}
	t.table(of.name).visit(reflect.ValueOf(k).Elem(), of.sub)
}

// visitBare reads vision = "50%" of an inner stage: one share for heads and FFN alike. It is written out as the
// table that it stands for, so that both spellings are the same configuration.
func (k *TowerKeep) visitBare(t *table, of *key) {
	share := k.Units
	share.visit(t, of)
	if share.Units > 0 {
		t.fault(of.name, `%d is ambiguous for an inner stage: write { heads = %d, ffn = … } or a share as "50%%"`, share.Units, share.Units)
	}
	*k = TowerKeep{Heads: share, FFN: share}
	t.out[of.name] = map[string]any{"heads": keepValue(share), "head_size": keepValue(Keep{}), "ffn": keepValue(share)}
}

// visit reads a count or a share as "33%".
func (k *Keep) visit(t *table, of *key) {
	value, given := t.in[of.name]
	defer func() { t.out[of.name] = keepValue(*k) }()
	if !given {
		if why := of.within.refuse(float64(k.Units)); k.Units != 0 && why != "" {
			t.fault(of.name, "%s", why)
		} else if k.Units == 0 && k.Share != 0 && !(k.Share > 0 && k.Share <= 1) {
			t.fault(of.name, "the share %g is not in (0, 1]", k.Share)
		}
		return
	}
	switch v := value.(type) {
	case int64:
		if why := of.within.refuse(float64(v)); why != "" {
			t.fault(of.name, "%s", why)
			return
		}
		*k = Keep{Units: int(v)}
	case string:
		share, err := parseShare(v)
		if err != nil {
			t.fault(of.name, "%v", err)
			return
		}
		*k = Keep{Share: share}
	default:
		t.wrongType(of.name, `a count or a share as "33%"`, value)
	}
}

func parseShare(s string) (float64, error) {
	digits, isShare := strings.CutSuffix(strings.TrimSpace(s), "%")
	percent, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if !isShare || err != nil {
		return 0, fmt.Errorf("%q is neither a count nor a share: write 2, or \"33%%\"", short(s))
	}
	if !(percent > 0 && percent <= 100) {
		return 0, fmt.Errorf("%q is not in (0%%, 100%%]", short(s))
	}
	return percent / 100, nil
}

// keepValue is how a Keep is written in TOML and JSON.
func keepValue(k Keep) any {
	if k.Units > 0 {
		return k.Units
	}
	return k.String()
}
