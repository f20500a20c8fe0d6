package report

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// none stands where there is nothing to tell.
const none = "–"

// Line tells a model in one line of some 50 characters: parameters, accuracy, latency, answers a second. What was
// not measured is left out.
func (m Model) Line() string {
	right := percent(m.Accuracy, Overall) + " % right"
	if m.OOD != nil {
		right += ", ood " + percent(m.OOD, Overall) + " %"
	}
	parts := []string{rough(m.Parameters), right}
	if m.LatencyMS != (Latency{}) {
		parts = append(parts, milliseconds(m.LatencyMS.P50)+" ms")
	}
	if m.Throughput != (Throughput{}) {
		parts = append(parts, rate(m.Throughput.AnswersPerS)+"/s")
	}
	return strings.Join(parts, " · ")
}

// Line tells a cut in one line.
func (c Cut) Line() string {
	return fmt.Sprintf("%s · slice − mask %.1e", rough(c.Parameters), c.SliceMaskMaxDiff)
}

// Line tells a gate in one line.
func (g Gate) Line() string {
	task, d, alpha := g.Deciding()
	key := "alpha"
	if task != "" {
		key, task = "alpha_task", " of "+task
	}
	text := fmt.Sprintf("%s: drop%s %s points (%s), %s %s", g.Verdict, task, points(d.Drop), interval(d.CI), key, points(alpha))
	if g.PicturesNeeded > 0 {
		text += fmt.Sprintf("; %s pictures would decide", count(int64(g.PicturesNeeded)))
	}
	return text
}

// rough writes 3044640 as 3.04M: three digits.
func rough(n int64) string {
	for _, unit := range []struct {
		size float64
		name string
	}{{1e9, "B"}, {1e6, "M"}, {1e3, "k"}} {
		if v := float64(n) / unit.size; v >= .9995 {
			return fmt.Sprintf("%.*f%s", max(0, 3-len(strconv.Itoa(int(v+.0005)))), v, unit.name)
		}
	}
	return strconv.FormatInt(n, 10)
}

// count writes 3044640 as 3,044,640.
func count(n int64) string {
	digits := strconv.FormatInt(n, 10)
	var b strings.Builder
	for i, d := range digits {
		if i > 0 && (len(digits)-i)%3 == 0 && digits[i-1] != '-' {
			b.WriteByte(',')
		}
		b.WriteRune(d)
	}
	return b.String()
}

// Count writes 3044640 as 3,044,640.
func Count(n int64) string { return count(n) }

// times writes a ratio; 0 is one that was not measured.
func times(ratio float64) string {
	if ratio == 0 {
		return none
	}
	return fmt.Sprintf("%.1f×", ratio)
}

func megabytes(n int64) string { return fmt.Sprintf("%.2f", float64(n)/1e6) }

func percent(a Accuracy, task string) string {
	v, ok := a[task]
	if !ok {
		return none
	}
	return fmt.Sprintf("%.1f", 100*v)
}

// change is the student's accuracy minus the teacher's, in points.
func change(teacher, student Accuracy, task string) string {
	before, ok1 := teacher[task]
	after, ok2 := student[task]
	if !ok1 || !ok2 {
		return none
	}
	return signed(100 * (after - before))
}

// signed sets a true minus sign, and none before a zero.
func signed(v float64) string {
	text := fmt.Sprintf("%.1f", math.Abs(v))
	switch {
	case text == "0.0":
		return text
	case v < 0:
		return "−" + text
	}
	return "+" + text
}

// points writes a fraction in points; a gain is a negative loss.
func points(v float64) string { return strings.TrimPrefix(signed(100*v), "+") }

func interval(ci [2]float64) string { return points(ci[0]) + " to " + points(ci[1]) }

// milliseconds keeps three digits.
func milliseconds(v float64) string {
	switch {
	case v == 0:
		return none
	case v < 10:
		return fmt.Sprintf("%.2f", v)
	case v < 100:
		return fmt.Sprintf("%.1f", v)
	}
	return fmt.Sprintf("%.0f", v)
}

func rate(v float64) string {
	switch {
	case v == 0:
		return none
	case v < 10:
		return fmt.Sprintf("%.1f", v)
	}
	return count(int64(math.Round(v)))
}

// Duration writes seconds as a person would: 8.2 s, 3 min 05 s, 2 h 07 min.
func Duration(seconds float64) string {
	whole := int(math.Round(seconds))
	switch {
	case seconds < 9.95:
		return fmt.Sprintf("%.1f s", seconds)
	case whole < 60:
		return fmt.Sprintf("%d s", whole)
	case whole < 3600:
		return fmt.Sprintf("%d min %02d s", whole/60, whole%60)
	}
	minutes := int(math.Round(seconds / 60))
	return fmt.Sprintf("%d h %02d min", minutes/60, minutes%60)
}

// Bytes writes a size as a person would: 812 B, 33.4 MB.
func Bytes(n int64) string {
	if n < 1000 {
		return fmt.Sprintf("%d B", n)
	}
	v, unit := float64(n)/1e3, "kB"
	for _, next := range []string{"MB", "GB", "TB"} {
		if v < 1e3 {
			break
		}
		v, unit = v/1e3, next
	}
	return fmt.Sprintf("%.3g %s", v, unit)
}
