package scenario

import (
	"strings"
	"unicode/utf8"
)

var escapes = strings.NewReplacer("%2f", "", "%2F", "", "%5c", "", "%5C", "", "%25", "")

// Stored reports whether a name has the form in which vSphere stores it: 1 to 80 characters, in which slashes, backslashes and
// percent signs are escaped. vSphere escapes what it is given plain; the lab wants to be given what is stored.
func Stored(name string) bool {
	return name != "" && utf8.RuneCountInString(name) <= 80 && !strings.ContainsAny(escapes.Replace(name), `/\%`)
}

func (c *checker) stored(p, name string) {
	if name != "" && !Stored(name) {
		c.at(p, "%q is not a name as vSphere stores it: at most 80 characters, with %%2f for /, %%5c for \\ and %%25 for %%", name)
	}
}
