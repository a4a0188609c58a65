package steps

import (
	"math"
	"regexp"
	"slices"
	"strings"

	"github.com/serin-cd/serin/internal/diag"
	"github.com/serin-cd/serin/internal/diag/yamldoc"
)

// moverCure lists the movers with an example each: what to write when a policy names none or two.
const moverCure = "write exactly one of: " +
	"`version_flag: checkout-version` (a flag whose variants are versions), " +
	"`flag: new-checkout` (a feature flag, on or off), " +
	"`event: deployer` (your deployer, which acknowledges), " +
	"`exec: {set: [./set-weight.sh, \"{{percent}}\"], read: [./read-weight.sh]}` (a command), " +
	"`observe: true` (somebody else moves it)"

var moverKinds = []MoverKind{VersionFlag, FeatureFlag, EventMover, ExecMover, Observe}

// ExecVariables lists what {{…}} may name in the arguments of an exec mover.
func ExecVariables() []string {
	return []string{"share", "percent", "version", "stable", "service", "environment", "rollout", "seq"}
}

// ParseMover reads a policy's `traffic:` section: the one mover, and the tolerance (0 when not written). It is false,
// with at least one finding, when there is no usable mover.
func ParseMover(v yamldoc.Value) (m Mover, tolerance Share, ok bool) {
	if !v.Exists() {
		v.Errorf(moverCure, "is missing: nothing moves traffic")
		return Mover{}, 0, false
	}
	keys := []string{"tolerance"}
	for _, k := range moverKinds {
		keys = append(keys, string(k))
	}
	section := v.Map(keys...)
	tolerance, ok = parseTolerance(section.Get("tolerance"))
	kind, named := namedMover(section)
	if !named {
		return Mover{}, tolerance, false
	}
	m, usable := parseMover(kind, section.Get(string(kind)))
	return m, tolerance, ok && usable
}

// namedMover finds the one mover of a section; none or two is a finding.
func namedMover(section yamldoc.Map) (MoverKind, bool) {
	var named []MoverKind
	for _, k := range moverKinds {
		if section.Has(string(k)) {
			named = append(named, k)
		}
	}
	switch {
	case !section.IsMap(), len(named) == 0 && section.Strange():
		return "", false // said already
	case len(named) == 0:
		section.Errorf(moverCure, "names no mover")
		return "", false
	case len(named) > 1:
		second := section.Key(string(named[1]))
		second.Errorf("keep one of them; "+moverCure, "names two movers, %s and %s: two that move the same traffic undo each other", named[0], named[1])
		return "", false
	default:
		return named[0], true
	}
}

func parseMover(kind MoverKind, v yamldoc.Value) (Mover, bool) {
	m := Mover{Kind: kind}
	ok := true
	switch kind {
	case ExecMover:
		m.Set, m.Read, ok = parseExec(v)
	case Observe:
		var on bool
		if on, ok = v.Bool(); ok && !on {
			v.Errorf("write `observe: true`, or name another mover", "observe: false names no mover")
			ok = false
		}
	case EventMover:
		m.Key, ok = parseKey(v, deployerName, "a deployer's name has 1 to 63 of letters, digits, - and _")
	case VersionFlag, FeatureFlag:
		m.Key, ok = parseKey(v, flagKey, "a flag's key has no spaces and no {{…}}: it is used as written")
	}
	return m, ok
}

var (
	deployerName = regexp.MustCompile(`^[A-Za-z0-9_-]{1,63}$`)
	flagKey      = regexp.MustCompile(`^[^\s{}\pC]{1,256}$`)
)

func parseKey(v yamldoc.Value, form *regexp.Regexp, cure string) (string, bool) {
	key, ok := v.String()
	if ok && !form.MatchString(key) {
		v.Errorf(cure, "%q is no name", key)
		return "", false
	}
	return key, ok
}

// parseTolerance reads an allowed gap between requested and measured share.
func parseTolerance(v yamldoc.Value) (Share, bool) {
	if !v.Exists() {
		return 0, true
	}
	n, ok := v.Number()
	if !ok {
		return 0, false
	}
	s := Share(math.Round(n * float64(All)))
	if n > 1 || s < 1 {
		v.Errorf("write percentage points from 0.01% to 100%, as in `tolerance: 5%`", "%v is out of range", n)
		return 0, false
	}
	return s, true
}

func parseExec(v yamldoc.Value) (set, read []string, ok bool) {
	section := v.Map("set", "read")
	if !section.IsMap() {
		return nil, nil, false
	}
	if !section.Has("set") {
		section.Errorf("write `set: [./set-weight.sh, \"{{percent}}\"]`", "needs the command that sets the share")
		return nil, nil, false
	}
	set, setOK := parseCommand(section.Get("set"))
	read, readOK := parseCommand(section.Get("read"))
	return set, read, setOK && readOK
}

// parseCommand reads an argument vector. An absent one is empty and good.
func parseCommand(v yamldoc.Value) (argv []string, ok bool) {
	if !v.Exists() {
		return nil, true
	}
	if !v.IsList() {
		v.Errorf("write it as a list, an argument each: [./set-weight.sh, \"{{percent}}\"]; there is no shell", "needs a list of arguments")
		return nil, false
	}
	items := v.List()
	if len(items) == 0 {
		v.Errorf("write the command and its arguments, or remove the key", "is an empty command")
		return nil, false
	}
	ok = true
	for i, item := range items {
		argument, readable := item.String()
		ok = readable && checkArgument(item, argument, i == 0) && ok
		argv = append(argv, argument)
	}
	return argv, ok
}

var placeholder = regexp.MustCompile(`\{\{\s*([^{}]*?)\s*\}\}`)

// checkArgument finds placeholders that nothing fills in.
func checkArgument(v yamldoc.Value, argument string, command bool) bool {
	ok := true
	unknown := func(at int, cure, message string) {
		v.Add(diag.Finding{Position: v.At(at), Severity: diag.Error, Message: v.Path() + ": " + message, Cure: cure})
		ok = false
	}
	for _, at := range placeholder.FindAllStringSubmatchIndex(argument, -1) {
		name := argument[at[2]:at[3]]
		switch {
		case command:
			unknown(at[0], "write the command as it is; pass values as arguments", "the command itself may not be chosen by a release")
		case !slices.Contains(ExecVariables(), name):
			unknown(at[0], diag.Suggest(name, ExecVariables()), "unknown placeholder {{"+name+"}}")
		}
	}
	rest := placeholder.ReplaceAllStringFunc(argument, func(s string) string { return strings.Repeat(" ", len(s)) })
	if at := max(strings.Index(rest, "{{"), strings.Index(rest, "}}")); at >= 0 {
		unknown(at, "write {{percent}}", "a placeholder is not closed, or not opened")
	}
	return ok
}
