package pipeline

import (
	"fmt"
	"math"
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

// Towers says what stays in each tower; a tower that is left out stays whole.
type Towers struct{ Vision, QFormer, Language TowerKeep }

// TowerKeep is Units for the stages blocks and hidden, Heads and FFN for inner.
type TowerKeep struct{ Units, Heads, FFN Keep }

// Whole tells whether nothing of the tower is cut.
func (k TowerKeep) Whole() bool { return k.Units.Whole() && k.Heads.Whole() && k.FFN.Whole() }

// Whole tells whether nothing is cut at all.
func (k Towers) Whole() bool { return k.Vision.Whole() && k.QFormer.Whole() && k.Language.Whole() }

func (k *Towers) visit(stage *configTable, inner bool) {
	t := stage.table("keep")
	for i, tower := range []*TowerKeep{&k.Vision, &k.QFormer, &k.Language} {
		if !inner {
			t.keep(towers[i], &tower.Units)
			continue
		}
		value, given := t.in[towers[i]]
		if _, isTable := value.(map[string]any); given && !isTable {
			tower.visitBare(t, towers[i])
			continue
		}
		both := t.table(towers[i])
		both.keep("heads", &tower.Heads)
		both.keep("ffn", &tower.FFN)
	}
}

// visitBare reads vision = "50%" of an inner stage: one share for heads and FFN alike. It is written out as the
// table that it stands for, so that both spellings are the same configuration.
func (k *TowerKeep) visitBare(t *configTable, tower string) {
	var share Keep
	t.keep(tower, &share)
	if share.Units > 0 {
		t.fault(tower, `%d is ambiguous for an inner stage: write { heads = %d, ffn = … } or a share as "50%%"`, share.Units, share.Units)
	}
	k.Heads, k.FFN = share, share
	t.out[tower] = map[string]any{"heads": keepValue(share), "ffn": keepValue(share)}
}

// keep reads a count or a share as "33%".
func (t *configTable) keep(key string, p *Keep) {
	value, given := t.take(key)
	defer func() { t.out[key] = keepValue(*p) }()
	if !given {
		return
	}
	switch v := value.(type) {
	case int64:
		if v < 1 {
			t.fault(key, "%d is not at least 1", v)
			return
		}
		*p = Keep{Units: int(v)}
	case string:
		share, err := parseShare(v)
		if err != nil {
			t.fault(key, "%v", err)
			return
		}
		*p = Keep{Share: share}
	default:
		t.wrongType(key, `a count or a share as "33%"`, value)
	}
}

func parseShare(s string) (float64, error) {
	digits, isShare := strings.CutSuffix(strings.TrimSpace(s), "%")
	percent, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
	if !isShare || err != nil {
		return 0, fmt.Errorf("%q is neither a count nor a share: write 2, or \"33%%\"", s)
	}
	if !(percent > 0 && percent <= 100) {
		return 0, fmt.Errorf("%q is not in (0%%, 100%%]", s)
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
