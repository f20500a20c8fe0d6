// Package speaker is a checkpoint folder that answers questions: its network, its words, and how it looks at pictures.
package speaker

import (
	"fmt"

	"espalier/model"
	"espalier/model/prompt"
	"espalier/torch"
	"espalier/torch/nn"
)

// UsualTokens are those of an answer, end-of-sequence included, where nobody asks for another number.
const UsualTokens = 16

// Speaker answers questions. One goroutine at a time may ask; any may read questions and look at pictures.
type Speaker struct {
	Model *model.Blip2
	Words prompt.Words
	Sight model.Preprocessor
	on    torch.Device
}

// Answer is what a network said.
type Answer struct {
	IDs      []int     // without the end
	LogProbs []float64 // of the ids, and of the end where there is one; nil where nobody asked for them
}

// Ended tells whether the answer came to its end, rather than to the most tokens that it might have. It needs the log-probabilities.
func (a Answer) Ended() bool { return len(a.LogProbs) > len(a.IDs) }

// Load reads a folder onto a device. Without a template questions are framed by the checkpoint's own, where it has one.
func Load(folder, template string, on torch.Device) (*Speaker, error) {
	c, err := model.LoadConfig(folder)
	if err != nil {
		return nil, err
	}
	s := &Speaker{on: on}
	if s.Words, err = prompt.Load(folder, c, template); err != nil {
		return nil, err
	}
	if s.Sight, err = model.LoadPreprocessorFor(folder, c); err != nil {
		return nil, err
	}
	if s.Model, err = model.Load(folder, on); err != nil {
		return nil, err
	}
	return s, nil
}

// Free gives the network's memory back.
func (s *Speaker) Free() { s.Model.Store().Free() }

// Sees tells whether the network looks at pictures. A decoder alone does not.
func (s *Speaker) Sees() bool { return s.Model.Config().Towers() }

// CheckPicture holds it against that whether a picture was given, under a name that the asker knows.
func (s *Speaker) CheckPicture(name string, given bool) error {
	switch {
	case s.Sees() && !given:
		return fmt.Errorf("%s is missing, and the network looks at pictures; add it", name)
	case !s.Sees() && given:
		return fmt.Errorf("%s is given, and the network is a decoder without towers, which sees no pictures; leave it out", name)
	}
	return nil
}

// PictureTokens are those that a picture takes before the question, where the language model reads it.
func (s *Speaker) PictureTokens() (n int) {
	for _, a := range s.Model.Store().Axes() {
		if a.Kind == nn.Queries {
			n += a.Units()
		}
	}
	return n
}

// MostTokens are those of an answer that an asker gets who asks for no number: [UsualTokens], or as many as there are positions.
func (s *Speaker) MostTokens() int {
	if room := s.Model.Room(); room > 0 {
		return min(UsualTokens, room)
	}
	return UsualTokens
}

// Normalised are pictures [count, 3, size, size] as the network is fed them, little-endian float32; none where it sees none.
func (s *Speaker) Normalised(pixels []byte) (raw []byte, err error) {
	err = torch.Run(func(*torch.Scope) error {
		raw = s.pictures(pixels, 0).Raw()
		return nil
	})
	return raw, err
}

func (s *Speaker) pictures(pixels []byte, questions int) *torch.Tensor {
	if !s.Sees() {
		return model.NoPictures(questions, s.on)
	}
	return s.Sight.Pictures(pixels, s.on)
}

// Ask answers a question about each picture of the bytes [count, 3, size, size], or about none where the network sees none. The ends
// are the checkpoint's own. With o.LogProbs each answer has its own.
func (s *Speaker) Ask(pixels []byte, questions []model.Question, o model.GenerateOptions) ([]Answer, error) {
	o.Ends = s.Words.Ends()
	asked := make([][]model.Question, len(questions))
	for i := range questions {
		asked[i] = questions[i : i+1]
	}
	answers := make([]Answer, len(questions))
	err := torch.Run(func(*torch.Scope) error {
		ids, err := s.Model.Generate(s.pictures(pixels, len(questions)), asked, o)
		for i := range ids {
			answers[i].IDs = append([]int{}, ids[i][0]...)
			if o.LogProbs != nil {
				answers[i].LogProbs = (*o.LogProbs)[i][0]
			}
		}
		return err
	})
	return answers, err
}
