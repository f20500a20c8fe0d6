package stage

import (
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/distillation"
	"espalier/model"
	"espalier/model/prompt"
	"espalier/pipeline/corpus"
	"espalier/pipeline/data"
	"espalier/torch"
)

// threeAds are three advertisements to train on.
func threeAds(t *testing.T) *corpus.Corpus {
	t.Helper()
	set, err := data.Open(data.Config{Source: "ads", Size: 48, Train: 3, Validation: 1, Test: 1, OOD: 1})
	require.NoError(t, err)
	train, err := corpus.New(set.Train, corpus.Reading{Words: prompt.Words{Answers: set.Tokenizer}, Pre: model.AdsPreprocessor(48), On: torch.CPU})
	require.NoError(t, err)
	return train
}

// writeOutputs keeps a teacher's outputs on them.
func writeOutputs(t *testing.T, folder string, teacher model.Network, train *corpus.Corpus) {
	t.Helper()
	require.NoError(t, distillation.WriteOutputs(folder, teacher, distillation.OutputForm{}, nil, distillation.Keep{}, nil, func(_ int, yield func(*model.Batch) error) error {
		return torch.Run(func(*torch.Scope) error {
			b, err := train.Read([]int{0, 1, 2})
			if err != nil {
				return err
			}
			return yield(b)
		})
	}))
}
