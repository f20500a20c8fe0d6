package modeltest

import (
	"math/rand/v2"
	"path/filepath"
	"testing"

	"github.com/stretchr/testify/require"

	"espalier/model"
	"espalier/torch"
	"espalier/torch/nn"
	"espalier/torch/torchtest"
)

// RequireTorchScript writes a network as TorchScript, reads the file back, and answers questions of several lengths in
// batches of several sizes with it: ids and logits must be those of the network itself, answering each by itself. The
// tolerance is of the largest logit.
func RequireTorchScript(t *testing.T, m *model.Blip2, tolerance float64) {
	t.Helper()
	module, err := m.TorchScript()
	require.NoError(t, err)
	file := filepath.Join(t.TempDir(), "model.pt")
	require.NoError(t, module.Save(file, nil))
	module.Close()
	module, err = torch.LoadModule(file, torch.CPU)
	require.NoError(t, err)
	defer module.Close()
	const steps = 6
	c := m.Config()
	r := rand.New(rand.NewPCG(1, 2))
	vocabulary := 0
	for _, a := range m.Store().Axes() {
		if a.Kind == nn.Vocabulary {
			vocabulary = a.Units()
		}
	}
	for _, rows := range []int{1, 2, 5} {
		require.NoError(t, torch.Run(func(*torch.Scope) error {
			pictures := torch.NewGenerator(uint64(rows)).Randn(rows, 3, c.Vision.Image, c.Vision.Image)
			questions := make([]model.Question, rows)
			for i := range questions {
				for range 1 + r.IntN(8) {
					questions[i].Prompt = append(questions[i].Prompt, r.IntN(vocabulary))
				}
				for range 1 + r.IntN(6) {
					questions[i].Instruction = append(questions[i].Instruction, r.IntN(min(30, vocabulary)))
				}
			}
			ids, logits := runScript(m, module, pictures, questions, r.IntN(2) == 0, steps)
			for i, q := range questions {
				picture := pictures.Narrow(0, i, 1)
				if tolerance < 1e-3 { // in halves, near ties fall either way
					want, err := m.Generate(picture, [][]model.Question{{q}}, model.GenerateOptions{MaxTokens: steps})
					require.NoError(t, err)
					require.Equal(t, want[0][0], ids[i], "row %d of %d", i, rows)
				}
				q.Answer = ids[i]
				b, err := m.Form().Pack(picture, [][]model.Question{{q}}, torch.CPU)
				require.NoError(t, err)
				torch.NoGrad(func() { torchtest.Within(t, m.Logits(b), logits[i], tolerance, 0, "logits") })
			}
			return nil
		}))
	}
}

// runScript is what a user of the file writes: a greedy answer of a number of tokens for each row, with the logits
// [steps, vocabulary] that chose them.
func runScript(m *model.Blip2, module *torch.Module, pictures *torch.Tensor, questions []model.Question, left bool, steps int) (ids [][]int, logits []*torch.Tensor) {
	rows := len(questions)
	pad := func(left bool, of func(model.Question) []int) (padded, mask *torch.Tensor) {
		width := 0
		for _, q := range questions {
			width = max(width, len(of(q)))
		}
		flat, seen := make([]int, rows*width), make([]int, rows*width)
		for i, q := range questions {
			at := i * width
			if left {
				at += width - len(of(q))
			}
			for k, id := range of(q) {
				flat[at+k], seen[at+k] = id, 1
			}
		}
		return torch.FromInts(flat, torch.CPU, rows, width), torch.FromInts(seen, torch.CPU, rows, width)
	}
	inputs := torch.Operands(pictures)
	if m.Config().Instruct() {
		// Padding on the right: the Q-Former counts places, as transformers' does.
		words, there := pad(false, func(q model.Question) []int { return q.Instruction })
		inputs = append(inputs, torch.Operands(words, there)...)
	}
	prefix := module.Call("encode", inputs...)[0]
	text, there := pad(left, func(q model.Question) []int { return q.Prompt })
	out := module.Call("prefill", append([]torch.Operand{prefix}, torch.Operands(text, there)...)...)
	ids = make([][]int, rows)
	all := make([][]*torch.Tensor, rows)
	for n := 1; ; n++ {
		token := out[0].Tensor.ArgMax(-1)
		for i, id := range torch.Values[int64](token) {
			ids[i], all[i] = append(ids[i], int(id)), append(all[i], out[0].Tensor.Select(0, i))
		}
		if n == steps {
			break
		}
		out = module.Call("step", torch.Operand{Tensor: token}, out[1])
	}
	for _, rows := range all {
		logits = append(logits, torch.Stack(0, rows...))
	}
	return ids, logits
}
