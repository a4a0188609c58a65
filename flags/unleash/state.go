package unleash

import (
	"cmp"
	"fmt"
	"hash/fnv"
	"slices"
	"strconv"
	"strings"

	"github.com/serin-cd/serin/flags"
)

// feature is what the admin API says of a flag.
type feature struct {
	Name         string  `json:"name"`
	Archived     bool    `json:"archived"`
	Environments []state `json:"environments"`
}

// state is a flag in one environment.
type state struct {
	Name       string     `json:"name"`
	Enabled    bool       `json:"enabled"`
	Strategies []strategy `json:"strategies"`
}

// strategy is one of those that turn the flag on for somebody, as far as Serin looks at it.
type strategy struct {
	ID          string         `json:"id,omitempty"`
	Name        string         `json:"name"`
	Title       string         `json:"title"`
	Disabled    bool           `json:"disabled"`
	Parameters  map[string]any `json:"parameters"`
	Constraints []any          `json:"constraints"`
	Segments    []any          `json:"segments"`
}

const flexible = "flexibleRollout"

// sorted puts the strategies into one order, whatever the server's is.
func (s state) sorted() state {
	slices.SortFunc(s.Strategies, func(a, b strategy) int { return cmp.Compare(a.ID, b.ID) })
	return s
}

// revision changes with everything that Serin looks at: a hash of it, below the count of Serin's own writes.
func (s state) revision() uint64 {
	h := fnv.New32a()
	_, _ = h.Write(marshal(s)) // a hash takes everything
	return s.writes()<<hashBits | uint64(max(h.Sum32(), 1))
}

const hashBits = 32

// writes is how often Serin has written, as its strategy says.
func (s state) writes() uint64 {
	if own, _ := s.own(); own != nil {
		return writes(own.Title) & (1<<hashBits - 1)
	}
	return 0
}

// own is Serin's strategy, nil when there is none. A kill puts a new one in its place; what it left behind when it was
// cut off is old.
func (s state) own() (own *strategy, old []strategy) {
	for i := range s.Strategies {
		o := &s.Strategies[i]
		switch _, ours := readTitle(o.Title); {
		case !ours:
		case own == nil || own.before(*o):
			if own != nil {
				old = append(old, *own)
			}
			own = o
		default:
			old = append(old, *o)
		}
	}
	return own, old
}

// before orders Serin's strategies: the last one counts.
func (o strategy) before(p strategy) bool {
	if killed(o.Title) != killed(p.Title) {
		return killed(p.Title)
	}
	return cmp.Or(cmp.Compare(writes(o.Title), writes(p.Title)), cmp.Compare(o.ID, p.ID)) < 0
}

// others are strategies besides Serin's own that take users in, or will once the environment is on. Old ones of Serin's
// are removed before that.
func (s state) others() (others []strategy) {
	own, _ := s.own()
	for _, o := range s.Strategies {
		if _, ours := readTitle(o.Title); !o.Disabled && (!ours || s.Enabled && o.ID != own.ID) {
			others = append(others, o)
		}
	}
	return others
}

// percent is the share that the strategy gives to all users alike; false when it is not as Serin writes it.
func (o strategy) percent(flag string) (int, bool) {
	n, err := strconv.Atoi(fmt.Sprint(o.Parameters["rollout"]))
	plain := o.Name == flexible && !o.Disabled && len(o.Constraints) == 0 && len(o.Segments) == 0 &&
		o.Parameters["stickiness"] == "default" && o.Parameters["groupId"] == flag
	return n, plain && err == nil && n >= 0 && n <= 100
}

// everybody reports whether the strategy leaves nobody out.
func (o strategy) everybody() bool {
	return o.Name == flexible && fmt.Sprint(o.Parameters["rollout"]) == "100" && len(o.Constraints) == 0 && len(o.Segments) == 0 || o.Name == "default" && len(o.Constraints) == 0
}

func (o strategy) String() string {
	return fmt.Sprintf("%s %q with %.100s and %d constraints", o.Name, o.Title, marshal(o.Parameters), len(o.Constraints)+len(o.Segments))
}

// image is the flag as flagd would define it. What Serin's strategy alone does not say becomes a targeting that no mark
// describes.
func (s state) image(flag string) (flags.Flag, error) {
	def, targeting := s.serves(flag)
	definition := map[string]any{
		"state": "ENABLED", "variants": map[string]bool{flags.On: true, flags.Off: false},
		"defaultVariant": def, "targeting": targeting,
	}
	if own, _ := s.own(); own != nil {
		if mark, _ := readTitle(own.Title); mark != nil {
			definition["metadata"] = mark
		}
	}
	f, err := flags.Parse(flag, marshal(definition))
	if err != nil {
		return flags.Flag{}, fmt.Errorf("flag %q in Unleash: the mark in its strategy's title: %w", flag, err)
	}
	return f, nil
}

func (s state) serves(flag string) (def string, targeting map[string]any) {
	none := map[string]any{}
	own, _ := s.own()
	others := s.others()
	percent, plain := 0, true
	if own != nil {
		percent, plain = own.percent(flag)
	}
	switch {
	case !s.Enabled && own != nil && killed(own.Title):
		return flags.Off, none
	case s.Enabled && (len(s.Strategies) == 0 || slices.ContainsFunc(others, strategy.everybody)):
		return flags.On, none // Unleash takes a flag without strategies to be on for all
	case len(others) > 0 || !plain || s.Enabled && own == nil:
		return flags.Off, strangers(s.Strategies)
	case !s.Enabled || percent == 0:
		return flags.Off, none
	case percent == 100:
		return flags.On, none
	}
	share := percent * flags.Total / 100
	return flags.Off, map[string]any{"fractional": []any{[]any{flags.On, share}, []any{flags.Off, flags.Total - share}}}
}

func strangers(all []strategy) map[string]any {
	var names []string
	for _, o := range all {
		names = append(names, o.String())
	}
	return map[string]any{"strategies in Unleash": strings.Join(names, "; ")}
}
