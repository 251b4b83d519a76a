package config

import (
	"net/url"
	"regexp"
	"strings"
	"sync"

	"github.com/redpanda-data/benthos/v4/public/bloblang"
)

// The engine hides the password of a URL where it shows a config (`rafka echo`, /debug/config): by
// a mapping of its own, that of service.NewURLField, which shows the whole URL if it can't take it
// apart. A URL whose password it would show is refused.

// hidingQuery finds the password as the engine does.
var hidingQuery = sync.OnceValues(func() (*bloblang.Executor, error) {
	return bloblang.NewEnvironment().OnlyPure().Parse(`root = this.parse_url().user.password.or("")`)
})

// likeVariable is what the engine takes for a variable that was not resolved, and shows.
var likeVariable = regexp.MustCompile(`^\${[0-9A-Za-z_.]+(:((\${[^}]+})|[^}])*)?}$`)

// hidesPassword reports whether the engine hides the password that the text of a URL holds.
func hidesPassword(text string) bool {
	query, err := hidingQuery()
	if err != nil {
		return false
	}
	found, err := query.Query(text)
	password, _ := found.(string)
	return err == nil && password != "" && !likeVariable.MatchString(strings.TrimSpace(password))
}

// checkHidden refuses a URL with a password that would be shown.
func checkHidden(text string, user *url.Userinfo, p *Problems) {
	if user == nil {
		return
	}
	password, _ := user.Password()
	if password == "" || hidesPassword(text) {
		return
	}
	const remedy = "or give the password in the field password (and the user in username), where it is always hidden"
	switch {
	case likeVariable.MatchString(strings.TrimSpace(password)):
		p.Add(
			fieldURL,
			"the password looks like a variable that was not resolved, and would be shown by rafka echo: set the variable, "+
				"or use another password",
		)
	case strings.ContainsFunc(text, isBlank):
		p.Add(
			fieldURL,
			"holds white space (a file of a secret may end with a line break), so its password would be shown by rafka echo: "+
				"remove the white space, %s",
			remedy,
		)
	default:
		p.Add(
			fieldURL,
			"a password in a list of such addresses would be shown by rafka echo: remove it from the list, %s",
			remedy,
		)
	}
}

// checkSecret refuses a password in a field of its own that the engine would show: it hides texts
// only.
func checkSecret(field string, value any, p *Problems) {
	text, isText := value.(string)
	switch {
	case value == nil:
	case !isText:
		p.Add(field, "is no text and would be shown by rafka echo: write it in quotes")
	case likeVariable.MatchString(strings.TrimSpace(text)):
		p.Add(
			field,
			"looks like a variable that was not resolved, and would be shown by rafka echo: set the variable, or use another password",
		)
	}
}

func isBlank(r rune) bool { return r <= ' ' || strings.TrimSpace(string(r)) == "" }
