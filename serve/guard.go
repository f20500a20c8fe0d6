package serve

import (
	"crypto/sha256"
	"crypto/subtle"
	"net"
	"net/http"
	"runtime/debug"
	"slices"
	"strings"

	"espalier/pipeline/fault"
)

// guard is what stands before every handler.
type guard struct {
	o     Options
	cross *http.CrossOriginProtection
	inner http.Handler
}

func newGuard(o Options, inner http.Handler) (*guard, error) {
	g := &guard{o: o, cross: http.NewCrossOriginProtection(), inner: inner}
	for _, origin := range o.Origins {
		if origin == anyOrigin {
			continue
		}
		if err := g.cross.AddTrustedOrigin(origin); err != nil {
			return nil, fault.Inputf("-cors %s: %w: give a page's scheme, host and port, as https://example.org", origin, err)
		}
	}
	return g, nil
}

const anyOrigin = "*"

func (g *guard) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	defer g.recovered(w)
	open := g.allow(w, r)
	switch {
	case g.o.Loopback && !local(r.Host):
		// A page elsewhere can give its own name this machine's address, and would then be of the same origin.
		refuse(http.StatusForbidden, "wrong_host", "this server is asked as %s, and answers only as localhost; use that, or start it with -listen", short([]byte(r.Host))).write(w)
	case r.Method == http.MethodOptions && r.Header.Get("Access-Control-Request-Method") != "":
		w.WriteHeader(http.StatusNoContent)
	case !open && g.cross.Check(r) != nil:
		refuse(http.StatusForbidden, "wrong_origin", "the request comes from a page of %s; start the server with -cors for such pages", short([]byte(r.Header.Get("Origin")))).write(w)
	case strings.HasPrefix(r.URL.Path, "/v1/") && !g.known(r), strings.HasPrefix(r.URL.Path, samplesPath) && !g.known(r):
		e := refuse(http.StatusUnauthorized, "invalid_api_key", "the token is missing or is not this server's; send the header Authorization: Bearer TOKEN")
		e.write(w)
	default:
		g.inner.ServeHTTP(w, r)
	}
}

// recovered answers where the program is at fault, and goes on.
func (g *guard) recovered(w http.ResponseWriter) {
	if value := recover(); value != nil {
		if value == http.ErrAbortHandler {
			panic(value)
		}
		g.o.log("a fault of the program: %v\n%s", value, debug.Stack())
		fail(http.StatusInternalServerError, serverError, "failed", "a fault of the program: %v", value).write(w)
	}
}

// allow tells browsers that pages of an origin may read the answers, and tells whether any may.
func (g *guard) allow(w http.ResponseWriter, r *http.Request) (all bool) {
	all = slices.Contains(g.o.Origins, anyOrigin)
	origin := r.Header.Get("Origin")
	if origin == "" || !all && !slices.Contains(g.o.Origins, origin) {
		return all
	}
	h := w.Header()
	h.Add("Vary", "Origin")
	h.Set("Access-Control-Allow-Origin", origin)
	h.Set("Access-Control-Allow-Methods", "GET, POST, OPTIONS")
	h.Set("Access-Control-Max-Age", "600")
	if asked := r.Header.Get("Access-Control-Request-Headers"); asked != "" {
		h.Set("Access-Control-Allow-Headers", asked)
	}
	return all
}

// known tells whether the client has the token, where one is needed. Hashes have one length, so that the time says nothing of it.
func (g *guard) known(r *http.Request) bool {
	if g.o.Token == "" {
		return true
	}
	kind, token, _ := strings.Cut(r.Header.Get("Authorization"), " ")
	got, want := sha256.Sum256([]byte(token)), sha256.Sum256([]byte(g.o.Token))
	return strings.EqualFold(kind, "Bearer") && subtle.ConstantTimeCompare(got[:], want[:]) == 1
}

// local tells whether a host's name is this machine's for itself.
func local(host string) bool {
	if name, _, err := net.SplitHostPort(host); err == nil {
		host = name
	}
	host = strings.Trim(host, "[]")
	return host == "localhost" || strings.HasSuffix(host, ".localhost") || net.ParseIP(host).IsLoopback()
}
