package serve

import (
	"net/http"
	"strconv"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"
)

// metrics are what Prometheus reads, under vLLM's names behind our prefix.
type metrics struct {
	registry *prometheus.Registry

	latency, firstToken, tokenLatency, queued, together *prometheus.HistogramVec
	promptTokens, generatedTokens, succeeded, failures  *prometheus.CounterVec
}

// seconds are the buckets of times: from the answers of a small student to those of a large network that many wait for.
var seconds = []float64{.001, .0025, .005, .01, .025, .05, .1, .25, .5, 1, 2.5, 5, 10, 25, 60}

func newMetrics(models []*served, b *batcher) *metrics {
	m := &metrics{registry: prometheus.NewRegistry()}
	m.registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}))
	m.latency = m.histogram("e2e_request_latency_seconds", "From a request's arrival to its answer.", seconds)
	m.firstToken = m.histogram("time_to_first_token_seconds", "From a request's arrival to the first token that is sent; all tokens of an answer are sent together.", seconds)
	m.tokenLatency = m.histogram("inter_token_latency_seconds", "Time that a batch computed, for each token of an answer in it.", seconds)
	m.queued = m.histogram("request_queue_time_seconds", "From a question's arrival in the queue to the beginning of its batch.", seconds)
	m.together = m.histogram("request_batch_size", "Questions that were answered together.", prometheus.ExponentialBuckets(1, 2, 9))
	m.promptTokens = m.counter("prompt_tokens_total", "Tokens that were read, a picture's among them.")
	m.generatedTokens = m.counter("generation_tokens_total", "Tokens of answers.")
	m.succeeded = m.counter("request_success_total", "Requests that were answered.", "finished_reason")
	m.failures = m.counter("request_failure_total", "Requests that were not answered, by HTTP status.", "status")
	for _, model := range models {
		m.gauge("num_requests_waiting", "Questions that wait.", model, func() int { waiting, _ := b.count(model.queue); return waiting })
		m.gauge("num_requests_running", "Questions that are being answered.", model, func() int { _, running := b.count(model.queue); return running })
	}
	return m
}

const (
	prefix    = "espalier"
	modelName = "model_name"
)

func (m *metrics) histogram(name, help string, buckets []float64) *prometheus.HistogramVec {
	h := prometheus.NewHistogramVec(prometheus.HistogramOpts{Namespace: prefix, Name: name, Help: help, Buckets: buckets}, []string{modelName})
	m.registry.MustRegister(h)
	return h
}

func (m *metrics) counter(name, help string, labels ...string) *prometheus.CounterVec {
	c := prometheus.NewCounterVec(prometheus.CounterOpts{Namespace: prefix, Name: name, Help: help}, append([]string{modelName}, labels...))
	m.registry.MustRegister(c)
	return c
}

func (m *metrics) gauge(name, help string, of *served, value func() int) {
	m.registry.MustRegister(prometheus.NewGaugeFunc(prometheus.GaugeOpts{
		Namespace: prefix, Name: name, Help: help, ConstLabels: prometheus.Labels{modelName: of.id},
	}, func() float64 { return float64(value()) }))
}

// answered counts a request that has its answer.
func (m *metrics) answered(a *asked, got result, told said) {
	id, since := a.model.id, time.Since(a.began).Seconds()
	m.latency.WithLabelValues(id).Observe(since)
	m.firstToken.WithLabelValues(id).Observe(since)
	m.queued.WithLabelValues(id).Observe(got.began.Sub(a.job.queued).Seconds())
	m.together.WithLabelValues(id).Observe(float64(got.together))
	if n := len(got.answer.LogProbs); n > 0 {
		m.tokenLatency.WithLabelValues(id).Observe(got.ended.Sub(got.began).Seconds() / float64(n))
	}
	m.promptTokens.WithLabelValues(id).Add(float64(a.model.PictureTokens() + len(a.job.question.Prompt)))
	m.generatedTokens.WithLabelValues(id).Add(float64(len(told.tokens)))
	m.succeeded.WithLabelValues(id, told.finish).Inc()
}

// failed counts a request that has none. A model that is not served has no name: clients could make up any number of them.
func (m *metrics) failed(model *served, status int) {
	id := ""
	if model != nil {
		id = model.id
	}
	m.failures.WithLabelValues(id, strconv.Itoa(status)).Inc()
}

func (m *metrics) handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{})
}
