package page

import (
	"fmt"
	"html/template"
	"math"

	"espalier/pipeline/report"
)

// parts are the parameters of teacher and student by part, all bars to one scale.
type parts struct {
	Rows []partRow
	Side float64 // of the student's square, where the teacher's is 100
}

type partRow struct {
	Name                   string
	Teacher, Student       int64
	TeacherBar, StudentBar template.HTML
}

// bar is a share of the longest bar, as a path.
func bar(share float64) template.HTML {
	return template.HTML(fmt.Sprintf(`<svg class="bar" viewBox="0 0 1000 10" preserveAspectRatio="none" aria-hidden="true" focusable="false"><path d="M0 0h%[1]gv10h-%[1]gz"/></svg>`, 1000*share))
}

// Corner is where the student's square begins.
func (p *parts) Corner() float64 { return 100 - p.Side }

// partsOfModels compares the parts that one of the two has.
func partsOfModels(r *report.Report) *parts {
	a, b := r.Teacher.ParametersByPart, r.Student.ParametersByPart
	rows := []partRow{
		{Name: "vision tower", Teacher: a.Vision, Student: b.Vision}, {Name: "Q-Former", Teacher: a.QFormer, Student: b.QFormer},
		{Name: "projection", Teacher: a.Projection, Student: b.Projection}, {Name: "language blocks", Teacher: a.LanguageBlocks, Student: b.LanguageBlocks},
		{Name: "embeddings", Teacher: a.Embeddings, Student: b.Embeddings},
	}
	longest := int64(0)
	for _, row := range rows {
		longest = max(longest, row.Teacher, row.Student)
	}
	if longest == 0 || r.Teacher.Parameters == 0 {
		return nil
	}
	p := &parts{Side: 100 * math.Sqrt(float64(r.Student.Parameters)/float64(r.Teacher.Parameters))}
	for _, row := range rows {
		if row.Teacher == 0 && row.Student == 0 {
			continue
		}
		row.TeacherBar, row.StudentBar = bar(float64(row.Teacher)/float64(longest)), bar(float64(row.Student)/float64(longest))
		p.Rows = append(p.Rows, row)
	}
	return p
}
