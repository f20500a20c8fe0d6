package page

import (
	"fmt"
	"html/template"
	"math"

	"golang.org/x/text/language"
	"golang.org/x/text/message"
	"golang.org/x/text/number"

	"espalier/pipeline/report"
)

// parts are the parameters of teacher and student by part, all bars to one scale.
type parts struct {
	Rows []partRow
	Side float64 // of the student's square, where the teacher's is 100
}

type partRow struct {
	Name                   string
	Teacher, Student       string
	TeacherBar, StudentBar template.HTML
}

// grouped writes 3044640 as 3,044,640.
func grouped(n int64) string { return message.NewPrinter(language.English).Sprint(number.Decimal(n)) }

// bar is a share of the longest bar, as a path.
func bar(share float64) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false"><path d="M0 0h%[1]gv10h-%[1]gz"/></svg>`, 1000*share))
}

// Corner is where the student's square begins.
func (p *parts) Corner() float64 { return 100 - p.Side }

// partsOfModels compares the parts that one of the two has.
func partsOfModels(r *report.Report) *parts {
	a, b := r.Teacher.ParametersByPart, r.Student.ParametersByPart
	rows := []struct {
		name             string
		teacher, student int64
	}{
		{"vision tower", a.Vision, b.Vision}, {"Q-Former", a.QFormer, b.QFormer}, {"projection", a.Projection, b.Projection},
		{"language blocks", a.LanguageBlocks, b.LanguageBlocks}, {"embeddings", a.Embeddings, b.Embeddings},
	}
	longest := int64(0)
	for _, row := range rows {
		longest = max(longest, row.teacher, row.student)
	}
	if longest == 0 || r.Teacher.Parameters == 0 {
		return nil
	}
	p := &parts{Side: 100 * math.Sqrt(float64(r.Student.Parameters)/float64(r.Teacher.Parameters))}
	for _, row := range rows {
		if row.teacher == 0 && row.student == 0 {
			continue
		}
		p.Rows = append(p.Rows, partRow{row.name, grouped(row.teacher), grouped(row.student),
			bar(float64(row.teacher) / float64(longest)), bar(float64(row.student) / float64(longest))})
	}
	return p
}
