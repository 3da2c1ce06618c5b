package lab

import (
	"bytes"
	"io"
	"net/http"
	"net/url"
	"strings"
)

// installREST corrects how the simulator's REST API stores tag categories: clients send associable types with the prefix
// "urn:vim25:", vCenter stores the plain names, and a client that compares what it wrote with what it reads would see a change.
func installREST(vc *VC) {
	plain := func(pattern string) http.HandlerFunc {
		return func(w http.ResponseWriter, r *http.Request) {
			b, err := io.ReadAll(io.LimitReader(r.Body, 1<<20))
			if err != nil {
				http.Error(w, err.Error(), http.StatusBadRequest)
				return
			}
			b = bytes.ReplaceAll(b, []byte("urn:vim25:"), nil)
			r.Body, r.ContentLength = io.NopCloser(bytes.NewReader(b)), int64(len(b))
			// The simulator serves everything below "/rest/" or "/api/", with no method in its patterns.
			next, _ := vc.Mux.Handler(&http.Request{Method: http.MethodGet, URL: &url.URL{Path: pattern}})
			next.ServeHTTP(w, r)
		}
	}
	for _, p := range []string{"/rest/com/vmware/cis/tagging/category", "/api/cis/tagging/category"} {
		root := "/" + strings.SplitN(p, "/", 3)[1] + "/"
		vc.Mux.HandleFunc("POST "+p, plain(root))
		vc.Mux.HandleFunc("PATCH "+p+"/", plain(root))
	}
}
