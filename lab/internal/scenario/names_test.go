package scenario

import (
	"strings"
	"testing"
)

func TestNamesAsTheyAreStored(t *testing.T) {
	for name, want := range map[string]bool{
		"app01": true, "a%2fb": true, "a%2Fb%5C%25": true, "100%25": true, "%252f": true, "[x] y 🐟 \"q\"": true, " edge ": true,
		strings.Repeat("日", 80): true, strings.Repeat("x", 81): false,
		"": false, "a/b": false, `a\b`: false, "100%": false, "%2": false, "%41": false, "%%25": false,
	} {
		if Stored(name) != want {
			t.Errorf("%q: %v", name, !want)
		}
	}
}
