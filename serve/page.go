package serve

import (
	"embed"
	"mime"
	"net/http"
	"path"
)

// What the page consists of. It loads nothing from elsewhere.
//
//go:embed page
var pageFiles embed.FS

// policy lets the page load what this server gives it, and nothing else.
const policy = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src 'self' data: blob:; " +
	"base-uri 'none'; form-action 'none'; frame-ancestors 'none'"

// page routes the page's files.
func page(get func(string, http.HandlerFunc)) {
	for where, file := range map[string]string{"/{$}": "index.html", "/page.css": "page.css", "/page.js": "page.js"} {
		text, err := pageFiles.ReadFile("page/" + file)
		if err != nil {
			panic(err) // it is in the binary
		}
		get(where, func(w http.ResponseWriter, _ *http.Request) {
			h := w.Header()
			h.Set("Content-Type", mime.TypeByExtension(path.Ext(file)))
			h.Set("Content-Security-Policy", policy)
			h.Set("X-Content-Type-Options", "nosniff")
			h.Set("Referrer-Policy", "no-referrer")
			h.Set("Cache-Control", "no-cache")
			_, _ = w.Write(text)
		})
	}
}
