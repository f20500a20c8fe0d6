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

// RequireTorchScript writes a network in float64 as TorchScript, reads the file back, and answers questions of several
// lengths in batches of several sizes with it: ids and logits must be those of the network itself, answering each by itself.
func RequireTorchScript(t *testing.T, m model.Network) {
	t.Helper()
	n := Double(t, m)
	requireTorchScript(t, n, func(questions [][]model.Question, pictures *torch.Tensor, ids []int, logits *torch.Tensor) {
		want, err := n.Generate(pictures, questions, model.GenerateOptions{MaxTokens: len(ids)})
		require.NoError(t, err)
		require.Equal(t, want[0][0], ids)
		torchtest.Same(t, logitsOf(t, n, questions, pictures, ids), logits, "logits")
	})
}

// RequireHalfTorchScript does the same for a network in half precision, where near ties fall either way: the logits of the
// file's own ids may lie torchtest.Multiple times as far from those of the same weights in float64 as the network's do.
func RequireHalfTorchScript(t *testing.T, m *model.Blip2) {
	t.Helper()
	exact := Double(t, m)
	requireTorchScript(t, m, func(questions [][]model.Question, pictures *torch.Tensor, ids []int, logits *torch.Tensor) {
		want, own := logitsOf(t, exact, questions, pictures, ids), logitsOf(t, m, questions, pictures, ids)
		torchtest.Within(t, want, logits, 0, torchtest.Multiple*own.To(torch.Float64).Sub(want).Abs().AMax().Item(), "logits")
	})
}

// logitsOf are those [tokens, vocabulary] that a network gives for an answer to the one question of one picture.
func logitsOf(t *testing.T, m *model.Blip2, questions [][]model.Question, picture *torch.Tensor, answer []int) (logits *torch.Tensor) {
	t.Helper()
	q := questions[0][0]
	q.Answer = answer
	b, err := m.Form().Pack(picture, [][]model.Question{{q}}, torch.CPU)
	require.NoError(t, err)
	torch.NoGrad(func() { logits = m.Logits(b) })
	return logits
}

func requireTorchScript(t *testing.T, m *model.Blip2, check func(question [][]model.Question, picture *torch.Tensor, ids []int, logits *torch.Tensor)) {
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
				check([][]model.Question{{q}}, pictures.Narrow(0, i, 1), ids[i], logits[i])
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
			ids[i], all[i] = append(ids[i], int(id)), append(all[i], out[0].Tensor.Narrow(0, i, 1))
		}
		if n == steps {
			break
		}
		out = module.Call("step", torch.Operand{Tensor: token}, out[1])
	}
	for _, rows := range all {
		logits = append(logits, torch.Cat(0, rows...))
	}
	return ids, logits
}
