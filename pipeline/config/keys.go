package config

import "time"

// Every key of run.toml is declared once, by the tags of its field here. The parser, the checks, -set, docs/config.md and the
// example all read these tags:
//
//	toml     the key's name
//	default  its value where the file does not give one; "cpus" is the number of CPUs. Without this tag the key must be given,
//	         unless it inherits or its field is a pointer.
//	inherit  the key at the top of the file whose value it takes where it is not given
//	drawn    its value in place of 0 where the program draws the data
//	range    the numbers that it may be, as (0,1]; for [[tables]], how many there may be
//	choices  the texts that it may be
//	form     what a free text must look like; see forms
//	single   "yes" where one of the [[tables]] may be written as a [table]
//	moves    "no" where the key cannot change a result
//	example  its value in the example; behind # it stands there as a comment
//	doc      one line of help, with the unit
//
// Rules between keys are in check.go.

// Config is a whole run, as run.toml states it. Relative paths are taken from the working directory, as a shell would.
type Config struct {
	Seed       int           `toml:"seed" default:"1" range:"[0,9007199254740991]" doc:"all random numbers of the run derive from it"`
	Threads    int           `toml:"threads" default:"cpus" range:"[1,1024]" doc:"threads that compute; results depend on it, since sums are split among threads"`
	Workers    int           `toml:"workers" default:"1" range:"[1,1024]" doc:"training computes each batch in so many pieces at once, each with its share of the threads, on the CPU; at most threads. Small networks train faster; sums are rounded in another order"`
	Device     string        `toml:"device" default:"auto" form:"device" doc:"where to compute; auto is the GPU where there is one"`
	Precision  string        `toml:"precision" default:"fp32" choices:"fp32,bf16" doc:"what training and distillation compute in, unless they say otherwise"`
	Recompute  bool          `toml:"recompute" default:"false" doc:"scores and distillation compute each block a second time in backward: less memory, more time"`
	Output     string        `toml:"output" default:"runs/default" form:"folder" moves:"no" doc:"the run's folder; the same run, started again, continues there"`
	Store      string        `toml:"store" default:"user" form:"store" moves:"no" doc:"where results are kept for other runs: user is the user's cache folder"`
	StoreLimit Bytes         `toml:"store_limit" default:"20 GB" range:"[1 MB,1000 TB]" moves:"no" doc:"most bytes of kept results; beyond it the least recently used go"`
	KeepEvery  time.Duration `toml:"keep_every" default:"2m" range:"[1s,24h]" moves:"no" doc:"how often a long step keeps its state, so that a stopped run loses at most that much"`

	Data       DataConfig       `toml:"data" doc:"the pictures and questions: a built-in source or your own folder"`
	Importance ImportanceConfig `toml:"importance" doc:"what the scores are measured on"`
	Teacher    TeacherConfig    `toml:"teacher" doc:"the network to compress: a checkpoint, or one that is trained first"`
	Targets    []TargetConfig   `toml:"target" range:"[0,20]" single:"yes" doc:"what the student must be, in place of keep: the sizes of the stages are chosen for it; several, as [[target]] with names, give a student each"`
	Stages     Stages           `toml:"stage" range:"[1,100]" doc:"the stages, in the order that they run: what is cut, how it is chosen, how the student recovers"`
	Eval       EvalConfig       `toml:"eval" doc:"how a model is measured"`
	Export     ExportConfig     `toml:"export" doc:"what the student is written as"`

	Energy *EnergyConfig `toml:"energy" doc:"joules of an answer of teacher and student, and what a year of them saves; only where the table stands in the file; it takes about a minute and a half"`
}

// DataConfig names the pictures and questions: either a built-in source or the folder of a data set.
type DataConfig struct {
	Source     string `toml:"source" default:"" choices:"ads,sequences" example:"ads" doc:"what the program draws: pictures of advertisements with questions, or sequence tasks without pictures for a decoder alone"`
	Root       string `toml:"root" default:"" form:"folder" example:"#pictures" doc:"your own pictures and questions: a folder with files of one of the five forms of docs/data.md, or one such file"`
	Split      string `toml:"split" default:"" form:"shares" example:"#80/10/10" doc:"divides one file, or files that are no splits, into training, validation and test pictures: percent of each; without it the files are the splits"`
	SplitSeed  int    `toml:"split_seed" default:"1" range:"[0,9007199254740991]" doc:"draws which pictures go where; the run's seed does not, so that no run tests a teacher on what another run trained it on"`
	Size       int    `toml:"size" default:"48" range:"[8,4096]" doc:"side of the square picture that the model sees, pixels"`
	Prompt     string `toml:"prompt" default:"" form:"prompt" example:"#Question: {question} Answer:" doc:"what a question becomes for a loaded teacher; without it, what the checkpoint says, or the question alone"`
	RowTokens  int    `toml:"row_tokens" default:"0" range:"[0,1000000]" doc:"most tokens of one picture in a batch, query tokens included: more questions are divided; 0 chooses for each split"`
	Train      int    `toml:"train" default:"0" drawn:"12000" range:"[0,1000000000]" doc:"pictures to train on; 0 takes all"`
	Validation int    `toml:"validation" default:"0" drawn:"400" range:"[0,1000000000]" doc:"pictures that the gates look at; 0 takes all"`
	Test       int    `toml:"test" default:"0" drawn:"1000" range:"[0,1000000000]" doc:"pictures that tables and claims come from; 0 takes all"`
	OOD        int    `toml:"ood" default:"0" drawn:"1000" range:"[0,1000000000]" doc:"pictures of kinds never seen in training; 0 takes all"`
	Stages     int    `toml:"stages" default:"0" range:"[0,1000000000]" doc:"training pictures that the stages see, from the first on, for scores and distillation: the teacher's training sees all; 0 takes all"`
	OnError    string `toml:"on_error" default:"fail" choices:"fail,skip" doc:"what to do about a row that cannot be read, also in the middle of a run: end the run, or leave the row out and list it in the report"`

	Ads       *AdsConfig       `toml:"ads" doc:"how hard the drawn advertisements are; other sources do not read it"`
	Sequences *SequencesConfig `toml:"sequences" doc:"what the source of that name draws; other sources do not read it"`
	Vary      *VaryConfig      `toml:"vary" doc:"changes of the training pictures, drawn by lot each time that one is seen; on for your own pictures, and for ads where the table stands in the file"`
}

// AdsConfig says how hard the drawn advertisements are.
type AdsConfig struct {
	Occluded int `toml:"occluded" default:"15" range:"[0,100]" doc:"percent of the pictures that a block covers a part of"`
	Jitter   int `toml:"jitter" default:"22" range:"[0,120]" doc:"most that each channel of a background leaves its hue, of 255; out of distribution 8 more"`
}

// SequencesConfig is what the source "sequences" draws.
type SequencesConfig struct {
	Tasks      []string `toml:"tasks" choices:"reverse,add" doc:"reverse is a string of digits backwards, add the sum of two numbers of as many digits, written from the lowest digit on; without it both"`
	Shortest   int      `toml:"shortest" default:"2" range:"[1,64]" doc:"fewest digits of a string"`
	Longest    int      `toml:"longest" default:"6" range:"[2,64]" doc:"most digits of a string"`
	OODLongest int      `toml:"ood_longest" default:"8" range:"[3,128]" doc:"most digits of a string in the split ood, where all are longer than longest"`
}

// VaryConfig says how far training pictures are changed. Each range is that of a strength of 1. docs/pictures.md shows them.
type VaryConfig struct {
	Strength   float64 `toml:"strength" default:"1" range:"[0,2]" doc:"factor on all of the changes; 0 makes none"`
	Shift      float64 `toml:"shift" default:"0.02" range:"[0,0.5]" doc:"most that a picture is moved in each direction, as a share of its side"`
	Scale      float64 `toml:"scale" default:"0.02" range:"[0,0.4]" doc:"most that its size changes, a fraction"`
	Brightness float64 `toml:"brightness" default:"0.04" range:"[0,0.5]" doc:"most that it is made brighter or darker, as a share of white"`
	Contrast   float64 `toml:"contrast" default:"0.1" range:"[0,0.5]" doc:"most that its contrast changes, a fraction"`
	Saturation float64 `toml:"saturation" default:"0.1" range:"[0,0.5]" doc:"most that its saturation changes, a fraction; hues stay"`
	Noise      float64 `toml:"noise" default:"0.02" range:"[0,0.5]" doc:"most noise of a pixel, as a share of white"`
	Erase      float64 `toml:"erase" default:"0.1" range:"[0,0.5]" doc:"share of the pictures in which a patch takes their mean colour"`
	EraseSide  float64 `toml:"erase_side" default:"0.15" range:"[0,0.5]" doc:"most that the patch is long and wide, as a share of the picture's side"`
	Outputs    string  `toml:"outputs" default:"kept" choices:"kept,varied" doc:"what a student learns on a changed picture: kept is the teacher's kept outputs on the plain one, at no cost; varied is what the teacher says to the changed one, for a forward of the teacher at each step and its weights in memory"`
	Teacher    bool    `toml:"teacher" default:"false" doc:"the training of [teacher.train] changes its pictures too"`
}

// ImportanceConfig says what the scores are measured on.
type ImportanceConfig struct {
	Pictures int `toml:"pictures" default:"256" range:"[1,1000000000]" doc:"training pictures to compute the scores on"`
	Batch    int `toml:"batch" default:"32" range:"[1,65536]" doc:"pictures in one gradient; a score is the mean over the batches"`
}

// TeacherConfig has exactly one of Checkpoint and Train set.
type TeacherConfig struct {
	Checkpoint string       `toml:"checkpoint" default:"" form:"folder" example:"#teacher" doc:"folder to load; instead of [teacher.train]"`
	TopK       int          `toml:"top_k" default:"0" range:"[0,65536]" doc:"logits that are kept of the teacher at each answer token: the right token's and the strongest others'; kl takes all the rest as one class; 0 keeps all"`
	Train      *TrainConfig `toml:"train" doc:"a teacher that is trained first: its sizes and its training"`
}

// TrainConfig is a teacher trained from scratch: its training, and its architecture as a file or as the sizes of three towers.
type TrainConfig struct {
	PretrainSteps int      `toml:"pretrain_steps" default:"300" range:"[0,100000000]" doc:"steps of the vision tower and the Q-Former, with temporary heads"`
	Steps         int      `toml:"steps" default:"600" range:"[1,100000000]" doc:"steps of the whole network"`
	RefineSteps   int      `toml:"refine_steps" default:"400" range:"[0,100000000]" doc:"more of the same, with a new cosine schedule"`
	Batch         int      `toml:"batch" default:"32" range:"[1,65536]" doc:"pictures a step, each with all its questions"`
	LR            float64  `toml:"lr" default:"1e-3" range:"(0,1]" doc:"peak learning rate of AdamW"`
	WeightDecay   float64  `toml:"weight_decay" default:"0.05" range:"[0,1]" doc:"weight decay of AdamW"`
	Warmup        float64  `toml:"warmup" default:"0.05" range:"[0,1]" doc:"share of the steps in which the rate rises"`
	Clip          float64  `toml:"clip" default:"1" range:"[0,)" doc:"largest norm of the gradient; 0 does not clip"`
	Precision     string   `toml:"precision" inherit:"precision" choices:"fp32,bf16,auto" doc:"what the training computes in; auto is bf16 on a CPU with AVX-512, and fp32 elsewhere, where small networks train faster in it"`
	Accept        *float64 `toml:"accept" range:"[0,1]" example:"#0.93" doc:"the run stops when the teacher's validation accuracy is lower, a fraction; without it any teacher will do"`

	Config    string `toml:"config" default:"" form:"folder" example:"#config.json" doc:"a file of transformers' form that says what to train (BLIP-2 with OPT, T5 or LLaMA, InstructBLIP, or OPT or LLaMA alone), in place of vision, qformer and language; without tokenizer files the network reads the words of the data, and vocab_size may be left out"`
	Tokenizer string `toml:"tokenizer" default:"" form:"folder" example:"#tokenizer" doc:"folder with the tokenizer files of config, and preprocessor_config.json if it has one; without it, those beside config"`

	Towers   bool           `toml:"towers" default:"true" doc:"a vision tower and a Q-Former before the language model; false, which is what language without vision and qformer means, is a decoder alone, for data without pictures"`
	Vision   VisionConfig   `toml:"vision" doc:"sizes of the vision tower; its width may differ from heads × head_size"`
	QFormer  QFormerConfig  `toml:"qformer" doc:"sizes of the Q-Former"`
	Language LanguageConfig `toml:"language" doc:"sizes of the language model"`
}

// VisionConfig is the vision tower; the hidden width is free of heads × head size.
type VisionConfig struct {
	Width    int `toml:"width" default:"160" range:"[1,65536]" doc:"width of the residual stream"`
	Layers   int `toml:"layers" default:"4" range:"[1,512]" doc:"transformer blocks"`
	Heads    int `toml:"heads" default:"5" range:"[1,1024]" doc:"attention heads of a block"`
	HeadSize int `toml:"head_size" default:"32" range:"[1,4096]" doc:"width of a head"`
	FFN      int `toml:"ffn" default:"640" range:"[1,262144]" doc:"width of the feed-forward network"`
	Patch    int `toml:"patch" default:"8" range:"[1,8192]" doc:"side of a patch, pixels; it divides data.size"`
}

// QFormerConfig is the Q-Former; layers 0, CrossEvery, 2·CrossEvery … have cross-attention.
type QFormerConfig struct {
	Width      int `toml:"width" default:"128" range:"[1,65536]" doc:"width of the residual stream"`
	Layers     int `toml:"layers" default:"4" range:"[1,512]" doc:"transformer blocks"`
	Heads      int `toml:"heads" default:"4" range:"[1,1024]" doc:"attention heads of a block"`
	HeadSize   int `toml:"head_size" default:"32" range:"[1,4096]" doc:"width of a head"`
	FFN        int `toml:"ffn" default:"512" range:"[1,262144]" doc:"width of the feed-forward network"`
	Queries    int `toml:"queries" default:"16" range:"[1,65536]" doc:"query tokens: what the language model sees of a picture"`
	CrossEvery int `toml:"cross_every" default:"2" range:"[1,512]" doc:"every so many blocks one has cross-attention, from the first on"`
}

// LanguageConfig is the language model; Positions bounds query tokens + question + answer.
type LanguageConfig struct {
	Width     int `toml:"width" default:"128" range:"[1,65536]" doc:"width of the residual stream"`
	Layers    int `toml:"layers" default:"4" range:"[1,512]" doc:"transformer blocks"`
	Heads     int `toml:"heads" default:"4" range:"[1,1024]" doc:"attention heads of a block"`
	HeadSize  int `toml:"head_size" default:"32" range:"[1,4096]" doc:"width of a head"`
	FFN       int `toml:"ffn" default:"512" range:"[1,262144]" doc:"width of the feed-forward network"`
	Positions int `toml:"positions" default:"40" range:"[1,1048576]" doc:"most tokens of a question: query tokens, question and answer"`
}

// TargetConfig is what a student must be: one of its keys besides name and divisions is given.
type TargetConfig struct {
	Name          string   `toml:"name" default:"" form:"name" example:"#small" doc:"names the student where there are several targets: its folder is students/NAME"`
	Ratio         *float64 `toml:"ratio" range:"(1,)" example:"18" doc:"the teacher's parameters over the student's, at least"`
	LanguageRatio *float64 `toml:"language_ratio" range:"(1,)" example:"#40" doc:"the same for the blocks of the language model alone"`
	Parameters    *int     `toml:"parameters" range:"[1,9007199254740991]" example:"#300000000" doc:"parameters of the student, at most"`
	Bytes         *Bytes   `toml:"bytes" range:"[1 B,1000 TB]" example:"#600 MB" doc:"bytes of the student's weights, at most"`
	LatencyMS     *float64 `toml:"latency_ms" range:"(0,)" example:"#90" doc:"milliseconds for one answer on this device, one picture at a time, at most; the device is measured first"`
	Divisions     int      `toml:"divisions" default:"3" range:"[1,9]" doc:"divisions of the size among towers, blocks, heads and widths that are tried for a short while; 1 tries none and takes the even one"`
}

// StageConfig is one stage: what is cut, how it is chosen, how the student recovers, what it may lose.
type StageConfig struct {
	Name           string       `toml:"name" choices:"blocks,inner,hidden,tokens" example:"hidden" doc:"what is cut: whole transformer blocks, heads and FFN width inside the blocks, the towers' widths, or only what keep.queries and keep.vocabulary say"`
	Criterion      string       `toml:"criterion" default:"gradient" choices:"gradient,taylor,taylor-vector,taylor-sample,activation,magnitude,random,last,cosine" doc:"how a unit is scored; last and cosine score blocks alone"`
	Loss           string       `toml:"loss" default:"cross-entropy" choices:"cross-entropy,distillation,margin" doc:"the loss whose gradient the score is made of"`
	Candidates     *[]string    `toml:"candidates" form:"candidate" example:"#taylor-sample/margin" doc:"other ways to score than criterion and loss, as \"criterion/loss\": each is tried for a short while and the best one cuts; without the key two that suit the stage, [] tries none"`
	CandidateSteps int          `toml:"candidate_steps" default:"0" range:"[0,100000000]" doc:"steps of distillation for each way to score that is tried, out of distil.steps; 0 shares a tenth of these, or up to a third where that is too little"`
	Ranking        string       `toml:"ranking" default:"layer" choices:"layer,tower" doc:"among which units the best are kept in a stage inner: those of each layer, so that layers stay alike, or those of all layers of a tower, so that layers that matter more keep more; no format but espalier can hold such a student"`
	Keep           Towers       `toml:"keep" doc:"what stays in each tower; a tower that is left out stays whole"`
	Cuts           int          `toml:"cuts" default:"1" range:"[1,1000]" doc:"the cut is made in this many steps, each followed by its share of the distillation; with a target, in more where it is deep"`
	Alpha          float64      `toml:"alpha" default:"0.01" range:"[0,1]" doc:"accuracy that the student may lose against the teacher, a fraction"`
	AlphaTask      *float64     `toml:"alpha_task" range:"[0,1]" example:"#0.05" doc:"the same for each task alone; without it tasks are reported and not gated"`
	Gate           string       `toml:"gate" default:"not lost" choices:"not lost,held" doc:"not lost: a stage fails where the validation pictures show that it lost more than alpha; held: wherever they do not show that it did not"`
	Distil         DistilConfig `toml:"distil" doc:"how the student recovers; steps are those of the whole stage, shared among its cuts"`
	Retry          RetryConfig  `toml:"retry" doc:"what a stage that was not accepted tries: more distillation, then the same end size in more cuts, then, without a target, a size half way back"`
}

// RetryConfig is what a stage tries when its gate has not passed.
type RetryConfig struct {
	Steps float64 `toml:"steps" default:"2" range:"[1,100]" doc:"a further try has so many times the steps of distillation; 1 leaves out the try that has more of them alone"`
	Cuts  int     `toml:"cuts" default:"2" range:"[1,100]" doc:"a gentler cut is made in so many times the cuts; 1 leaves out both gentler tries"`
}

// DistilConfig is the recovery of a stage. Its learning rate suits large pre-trained models.
type DistilConfig struct {
	Steps       int      `toml:"steps" default:"0" range:"[0,100000000]" example:"1000" doc:"steps of the whole stage; 0 does not distil"`
	LR          float64  `toml:"lr" default:"3e-5" range:"(0,1]" doc:"peak learning rate of AdamW"`
	Batch       int      `toml:"batch" default:"32" range:"[1,65536]" doc:"pictures in one forward pass, each with all its questions"`
	Accumulate  int      `toml:"accumulate" default:"1" range:"[1,65536]" doc:"batches whose gradients make one step"`
	KL          float64  `toml:"kl" default:"1" range:"[0,)" doc:"weight of the divergence from the teacher's distribution over the answer"`
	KLForm      string   `toml:"kl_form" default:"forward" choices:"forward,reverse,js" doc:"form of that divergence: KL(teacher, student), KL(student, teacher), or Jensen-Shannon between both"`
	Temperature float64  `toml:"temperature" default:"1" range:"(0,)" doc:"softens both distributions in kl"`
	Correct     float64  `toml:"correct" default:"0" range:"[0,1]" doc:"share of the right token in what kl takes for the teacher's distribution, where the teacher thinks another one best"`
	Pair        float64  `toml:"pair" default:"1" range:"[0,)" doc:"weight of the pairwise loss: it pushes the right token above its strongest rival"`
	PairForm    string   `toml:"pair_form" default:"softplus" choices:"softplus,hinge,huber" doc:"form of the pairwise loss"`
	Margin      float64  `toml:"margin" default:"0" range:"[0,)" doc:"distance in logits that the pairwise loss asks for"`
	CE          float64  `toml:"ce" default:"0" range:"[0,)" doc:"weight of the cross entropy against the right answer"`
	Hidden      float64  `toml:"hidden" default:"0" range:"[0,)" doc:"weight of the loss between hidden states: the towers' outputs, compared with those of the teacher, which then runs on every batch"`
	HiddenForm  string   `toml:"hidden_form" default:"projection" choices:"projection,kept" doc:"how a narrower student is compared in hidden: through a matrix that is trained and dropped, or on the dimensions that it kept"`
	Freeze      []string `toml:"freeze" choices:"vision,qformer,language,embeddings" doc:"what is not trained: towers, or the language model's embeddings (tables, head, final norm)"`
	Warmup      float64  `toml:"warmup" default:"0.05" range:"[0,1]" doc:"share of the steps in which the rate rises"`
	WeightDecay float64  `toml:"weight_decay" default:"0.05" range:"[0,1]" doc:"weight decay of AdamW"`
	Clip        float64  `toml:"clip" default:"1" range:"[0,)" doc:"largest norm of the gradient; 0 does not clip"`
	Average     float64  `toml:"average" default:"0" range:"[0,1)" doc:"decay of an exponential average of the weights, which the student takes at the end; 0 keeps the last weights"`
	Precision   string   `toml:"precision" inherit:"precision" choices:"fp32,bf16" doc:"what the distillation computes in"`
}

// EvalConfig says how a model is measured.
type EvalConfig struct {
	Batch           int `toml:"batch" default:"64" range:"[1,65536]" doc:"pictures that answer together when accuracy is measured"`
	LatencyRuns     int `toml:"latency_runs" default:"300" range:"[1,10000000]" doc:"answers whose median is the latency: one picture, one question each; small networks give them up to five times, and the least median counts; below 300 the throughput is timed for less too"`
	LatencyWarmup   int `toml:"latency_warmup" default:"20" range:"[0,10000000]" doc:"answers before that, which do not count"`
	ThroughputBatch int `toml:"throughput_batch" default:"64" range:"[1,65536]" doc:"pictures that answer together when throughput is measured, each with all its questions; the quickest of up to five rounds counts"`
	MaxAnswerTokens int `toml:"max_answer_tokens" default:"8" range:"[1,65536]" doc:"longest answer, tokens, its end included"`

	Metrics []string `toml:"metrics" choices:"anls,rouge-l,cider,vqa" example:"#anls" doc:"what free answers are measured by on the test split, beside accuracy: docs/data.md says how each is computed"`
}

// ExportConfig says what the student is written as.
type ExportConfig struct {
	Format string `toml:"format" default:"espalier" choices:"espalier,transformers" doc:"transformers fits the sizes to what plain transformers can load"`
	DType  string `toml:"dtype" default:"teacher" choices:"teacher,float32,bfloat16,float16,float64,int8" doc:"dtype of the student's weights; teacher is that of each of the teacher's; int8 has one float32 scale for each row of a weight, and float32 vectors"`

	TorchScript bool `toml:"torchscript" default:"false" moves:"no" doc:"writes model.pt beside the student's weights: TorchScript for programs with libtorch alone, as model export does; not of a decoder alone"`
}

// EnergyConfig says how the joules of an answer are measured, and what a year is made of. An input that is not given has a value of
// Espalier's own, which the report shows with its source.
type EnergyConfig struct {
	Trials        int           `toml:"trials" default:"5" range:"[1,1000]" doc:"turns of teacher, student and idle machine"`
	Window        time.Duration `toml:"window" default:"5s" range:"[5s,1m]" doc:"how long each works in a turn, at least"`
	Batch         int           `toml:"batch" default:"64" range:"[1,65536]" doc:"pictures that answer together, each with all its questions"`
	ClaimKWh      float64       `toml:"claim_kwh" default:"75e6" range:"[1e-15,1e15]" doc:"kWh a year that the saving is held against; the paper's claim"`
	Models        *Estimate     `toml:"models" range:"[1e-15,1e15]" example:"#1" doc:"models deployed"`
	RequestsPerS  *Estimate     `toml:"requests_per_s" range:"[1e-15,1e15]" example:"#1000" doc:"answers a second that each of them gives, mean over the year"`
	TeacherJoules *Estimate     `toml:"teacher_joules" range:"[1e-15,1e15]" example:"#280" doc:"joules of an answer of the teacher in the year, in place of what this run finds; with student_joules"`
	StudentJoules *Estimate     `toml:"student_joules" range:"[1e-15,1e15]" example:"#36" doc:"the same of the student"`
	CoreWatts     *Estimate     `toml:"core_watts" range:"[1e-15,1e15]" example:"#4" doc:"watts of a busy core, for the estimate where no counter can be read"`
	Hardware      *Estimate     `toml:"hardware" range:"[1e-15,1e15]" example:"#1" doc:"joules of an answer on the hardware in service over those on this one"`
	Server        *Estimate     `toml:"server" range:"[1e-15,1e15]" example:"#1.5" doc:"watts of the whole server over those of what is measured"`
	PUE           *Estimate     `toml:"pue" range:"[1e-15,1e15]" example:"#1.3" doc:"watts of the data centre over those of its servers"`
}
