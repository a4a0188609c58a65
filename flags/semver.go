package flags

import (
	"strconv"
	"strings"

	"golang.org/x/mod/semver"
)

// semVer compares [version, operator, version]; null when one of them is none. Build metadata does not count.
func semVer(args any) any {
	list, _ := args.([]any)
	if len(list) != 3 {
		return nil
	}
	a, ok := canonical(list[0])
	b, ok2 := canonical(list[2])
	if !ok || !ok2 {
		return nil
	}
	order := semver.Compare(a, b)
	switch list[1] {
	case "=":
		return order == 0
	case "!=":
		return order != 0
	case "<":
		return order < 0
	case "<=":
		return order <= 0
	case ">":
		return order > 0
	case ">=":
		return order >= 0
	case "~":
		return semver.MajorMinor(a) == semver.MajorMinor(b)
	case "^":
		return semver.Major(a) == semver.Major(b)
	default:
		return nil
	}
}

// canonical takes "1.2.3", "v1.2", "V1" and the numbers 1 and 1.2.
func canonical(v any) (string, bool) {
	if n, ok := v.(float64); ok {
		v = strconv.FormatFloat(n, 'f', -1, 64)
	}
	s, ok := v.(string)
	if !ok {
		return "", false
	}
	if strings.HasPrefix(s, "v") || strings.HasPrefix(s, "V") {
		s = s[1:]
	}
	return "v" + s, semver.IsValid("v" + s)
}
