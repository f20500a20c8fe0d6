package pipeline

import (
	"espalier/model"
	"espalier/model/tokenizer"
	"espalier/pipeline/config"
	"espalier/pruning"
	"espalier/torch/nn"
)

// takeHubForm goes on with the teacher as transformers declares it, when the student is meant for transformers: so all
// figures are those of the files that it reads.
func (r *run) takeHubForm() error {
	if r.cfg.Export.Format != config.FormatTransformers {
		return nil
	}
	own := r.teacher
	n, err := own.(config.HubNetwork).ForHub()
	if err != nil || n == own {
		return err
	}
	r.note("export: the table of positions gets two rows of zeros in front, as transformers' OPT has them: %d parameters more, which nothing reads",
		n.Store().Count()-own.Store().Count())
	r.teacher = n
	own.Store().Free()
	return nil
}

// saveStudent writes the result. transformers reads a word list, which no published checkpoint has, only where a file tells it to.
func (r *run) saveStudent(student model.Network) error {
	folder := r.path("student")
	if err := r.saveModel(student, folder); err != nil {
		return err
	}
	words, ok := r.words.Answers.(*tokenizer.WordLevel)
	if !ok || r.cfg.Export.Format != config.FormatTransformers {
		return nil
	}
	return words.SaveConfig(folder)
}

// choose picks the units that stay; under export to transformers the Q-Former's layers must follow the frequency of its
// cross-attention.
func choose(c *config.Config, n model.Network, a *nn.Axis, scores []float64, units int) ([]int, error) {
	if c.Export.Format == config.FormatTransformers && a.Kind == nn.Blocks && a.Tower == "qformer" {
		return pruning.ChoosePattern(a, scores, units, n.Config().QFormer.CrossEvery)
	}
	return pruning.Choose(a, scores, units)
}
