package traffic

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"strconv"
	"strings"

	"github.com/serin-cd/serin/steps"
)

// variables are the values that arguments and the environment of a command may name. An unknown stable version is "".
func (x Exec) variables(e steps.Exposure) map[string]string {
	return map[string]string{
		"share":       strconv.Itoa(int(e.Share)),
		"percent":     strconv.FormatFloat(e.Share.Percent(), 'f', -1, 64),
		"version":     e.Version,
		"stable":      e.Stable,
		"service":     x.Service,
		"environment": x.Environment,
		"rollout":     x.Rollout,
		"seq":         strconv.FormatUint(x.Seq, 10),
	}
}

// environ is all that a command sees of the environment. The daemon's own may hold credentials, and stays out.
func (x Exec) environ(e steps.Exposure) []string {
	env := make([]string, 0, len(x.Env)+8)
	values := x.variables(e)
	for _, name := range steps.ExecVariables() {
		env = append(env, "SERIN_"+strings.ToUpper(name)+"="+values[name])
	}
	return append(env, x.Env...)
}

var placeholder = regexp.MustCompile(`\{\{\s*([a-z]+)\s*\}\}`)

// fill puts values into an argument vector. An argument stays one argument whatever its value, a value is never read
// for placeholders again, and one that turns its argument into an option is refused.
func fill(template []string, values map[string]string) ([]string, error) {
	if len(template) == 0 {
		return nil, errors.New("no command")
	}
	argv := make([]string, len(template))
	for i, argument := range template {
		var unknown string
		argv[i] = placeholder.ReplaceAllStringFunc(argument, func(s string) string {
			name := strings.Trim(s, "{} \t\r\n")
			value, ok := values[name]
			if !ok {
				unknown = s
			}
			return value
		})
		if unknown != "" {
			return nil, fmt.Errorf("argument %q: unknown placeholder %s", argument, unknown)
		}
		if strings.HasPrefix(argv[i], "-") && !strings.HasPrefix(argument, "-") {
			return nil, fmt.Errorf("argument %q: the value %q would be an option", argument, argv[i])
		}
	}
	return argv, nil
}

var percentage = regexp.MustCompile(`^([0-9]{1,3}(?:\.[0-9]{1,9})?) ?%?$`)

// parsePercentage reads what a read command printed: one number from 0 to 100, with or without a percent sign.
func parsePercentage(out string) (steps.Share, error) {
	m := percentage.FindStringSubmatch(strings.TrimSpace(out))
	if m == nil {
		return 0, fmt.Errorf("printed %q, needs one percentage such as 25, 25%% or 25.0", lastLines([]byte(out)))
	}
	p, err := strconv.ParseFloat(m[1], 64)
	if err != nil || p > 100 {
		return 0, fmt.Errorf("printed %q, which is no percentage from 0 to 100", m[1])
	}
	return steps.Share(math.Round(p * 100)), nil
}
