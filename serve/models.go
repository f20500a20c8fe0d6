package serve

import (
	"net/http"
	"runtime"
	"strings"
	"time"

	"espalier"
	"espalier/torch"
)

// modelInfo is a model in OpenAI's form.
type modelInfo struct {
	ID      string    `json:"id"`
	Object  string    `json:"object"`
	Created int64     `json:"created"`
	Owner   string    `json:"owned_by"`
	Own     modelSize `json:"espalier"`
}

type modelSize struct {
	Parameters int64 `json:"parameters"`
	Bytes      int64 `json:"bytes"`
	Pictures   bool  `json:"pictures"` // whether it looks at one
}

// started stands for the time at which a model was made, which no checkpoint tells.
var started = time.Now()

func (m *served) info() modelInfo {
	store := m.Model.Store()
	return modelInfo{m.id, "model", started.Unix(), "espalier", modelSize{int64(store.Count()), int64(store.Bytes()), m.Sees()}}
}

func (s *Server) listModels(w http.ResponseWriter, _ *http.Request) {
	list := struct {
		Object string      `json:"object"`
		Data   []modelInfo `json:"data"`
	}{Object: "list"}
	for _, m := range s.models {
		list.Data = append(list.Data, m.info())
	}
	writeJSON(w, http.StatusOK, list)
}

func (s *Server) showModel(w http.ResponseWriter, r *http.Request) {
	for _, m := range s.models {
		if m.id == r.PathValue("id") {
			writeJSON(w, http.StatusOK, m.info())
			return
		}
	}
	refuse(http.StatusNotFound, "model_not_found", "there is no model %q here; there is %s", short([]byte(r.PathValue("id"))), ids(s.models)).write(w)
}

// showVersion tells what the program was built from.
func showVersion(w http.ResponseWriter, _ *http.Request) {
	writeJSON(w, http.StatusOK, map[string]string{
		"version": espalier.Sources()[:12], "libtorch": torch.Version(), "go": strings.TrimPrefix(runtime.Version(), "go"),
	})
}
