package unleash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"strconv"

	"github.com/serin-cd/serin/flags"
)

// Update makes Unleash serve what f says and keeps its mark, if the revision is still the last one. Flags are created in
// Unleash: revision 0 is refused.
func (u *Unleash) Update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	wrote, err := u.update(ctx, key, f, revision)
	if err != nil {
		return 0, fmt.Errorf("write flag %s in Unleash: %w", key, err)
	}
	return wrote, nil
}

func (u *Unleash) update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	if f.Kind() != flags.Feature {
		return 0, fmt.Errorf("%w: only on/off flags are kept in Unleash; keep a version flag in Serin", flags.ErrKind)
	}
	s, err := u.read(ctx, key)
	switch {
	case errors.Is(err, flags.ErrNotFound) && revision == 0:
		return 0, fmt.Errorf("%w; create it in Unleash, off and without strategies", err)
	case errors.Is(err, flags.ErrNotFound):
		return 0, fmt.Errorf("%w: it is gone (%w)", flags.ErrConflict, err)
	case err != nil:
		return 0, err
	case f.Mark().Killed && s.writes() == revision>>hashBits:
		// What people changed meanwhile does not hold up a kill.
	case s.revision() != revision:
		return 0, flags.ErrConflict
	}
	w := write{u, key, title(f, s.writes()+1)}
	return w.carry(ctx, f, s)
}

// write is one change under way.
type write struct {
	*Unleash
	key   string
	title string
}

// carry chooses by what is asked for: off, another mark on what is there, or a share.
func (w write) carry(ctx context.Context, f flags.Flag, s state) (uint64, error) {
	m := f.Mark()
	if m.Killed {
		return w.off(ctx)
	}
	if len(m.Also) > 0 {
		return 0, fmt.Errorf("%w: Serin gives shares in Unleash, not audiences; leave the audience out, or keep the flag in Serin", flags.ErrKind)
	}
	own, old := s.own()
	if before, err := s.image(f.Key()); err == nil && own != nil && same(before, f) {
		return w.put(ctx, own, own.Parameters["rollout"])
	}
	if err := CheckShare(m.Share); err != nil {
		return 0, err
	}
	if others := s.others(); len(others) > 0 {
		return 0, fmt.Errorf("%w: %s takes users in as well", flags.ErrStranger, others[0])
	}
	if err := w.remove(ctx, old); err != nil {
		return 0, err
	}
	own, err := w.ready(ctx, s, own, m.Share > 0)
	if err != nil {
		return 0, err
	}
	return w.put(ctx, own, strconv.Itoa(m.Share/100))
}

// same reports whether two flags serve the same.
func same(a, b flags.Flag) bool {
	was, _ := a.Default()
	is, _ := b.Default()
	return was == is && string(a.Targeting()) == string(b.Targeting())
}

// off turns the environment off, then puts a new strategy in the place of the one that ramped, with the mark and a
// rollout of 0. A patch that is under way for the old one finds it gone.
func (w write) off(ctx context.Context) (uint64, error) {
	if err := w.turn(ctx, "off"); err != nil {
		return 0, err
	}
	made, err := w.create(ctx, w.title)
	if err != nil {
		return 0, err
	}
	after, err := w.read(ctx, w.key)
	if err != nil {
		return 0, err
	}
	own, old := after.own()
	if err := w.remove(ctx, old); err != nil {
		return 0, err
	}
	if own == nil || own.ID != made.ID { // another kill is in place
		return 0, flags.ErrConflict
	}
	if after, err = w.read(ctx, w.key); err != nil || !after.Enabled {
		return after.revision(), err
	}
	if err := w.turn(ctx, "off"); err != nil { // a ramp that was under way has turned it on
		return 0, err
	}
	after, err = w.read(ctx, w.key)
	if err == nil && after.Enabled {
		err = errors.New("Unleash was told twice to turn it off, and it is on")
	}
	return after.revision(), err
}

// ready is Serin's strategy in an environment that is on. Until it is, the strategy reaches nobody.
func (w write) ready(ctx context.Context, s state, own *strategy, on bool) (*strategy, error) {
	var err error
	if own == nil {
		if own, err = w.first(ctx); err != nil {
			return nil, err
		}
	}
	if s.Enabled || !on {
		return own, nil
	}
	if own.Parameters["rollout"] != "0" {
		before := write{w.Unleash, w.key, own.Title}
		if _, err := before.put(ctx, own, "0"); err != nil {
			return nil, err
		}
		own.Parameters["rollout"] = "0"
	}
	if err := w.turn(ctx, "on"); err != nil {
		return nil, err
	}
	after, err := w.read(ctx, w.key)
	if err == nil && !after.Enabled { // something in between answered, or a kill came
		err = flags.ErrConflict
	}
	return own, err
}

func (w write) turn(ctx context.Context, to string) error {
	return w.call(ctx, http.MethodPost, w.environment(w.key)+"/"+to, w.source.TokenFile, nil, nil)
}

func (w write) strategies() string { return w.environment(w.key) + "/strategies" }

// create adds a strategy of Serin's with a rollout of 0.
func (w write) create(ctx context.Context, title string) (made strategy, err error) {
	want := strategy{
		Name: flexible, Title: title, Constraints: []any{}, Segments: []any{},
		Parameters: map[string]any{"rollout": "0", "stickiness": "default", "groupId": name(w.key)},
	}
	return made, w.call(ctx, http.MethodPost, w.strategies(), w.source.TokenFile, want, &made)
}

// first creates the strategy of a flag that has none. Of two ramps at once neither keeps his.
func (w write) first(ctx context.Context) (*strategy, error) {
	made, err := w.create(ctx, prepared)
	if err != nil {
		return nil, err
	}
	after, err := w.read(ctx, w.key)
	if err != nil {
		return nil, err
	}
	for _, o := range after.Strategies {
		if _, ours := readTitle(o.Title); ours && o.ID != made.ID {
			return nil, errors.Join(flags.ErrConflict, w.remove(ctx, []strategy{made}))
		}
	}
	return &made, nil
}

// remove takes strategies of Serin's away; one that is gone already is.
func (w write) remove(ctx context.Context, old []strategy) error {
	for _, o := range old {
		err := w.call(ctx, http.MethodDelete, w.strategies()+"/"+url.PathEscape(o.ID), w.source.TokenFile, nil, nil)
		if err != nil && !errors.Is(err, flags.ErrNotFound) {
			return err
		}
	}
	return nil
}

type operation struct {
	Op    string `json:"op"`
	Path  string `json:"path"`
	Value any    `json:"value"`
}

// put patches rollout and title of Serin's strategy together, if they are still as in own, and reads back.
func (w write) put(ctx context.Context, own *strategy, rollout any) (uint64, error) {
	patch := []operation{
		{"test", "/title", own.Title}, {"test", "/parameters/rollout", own.Parameters["rollout"]},
		{"replace", "/title", w.title}, {"replace", "/parameters/rollout", rollout},
	}
	failed := w.call(ctx, http.MethodPatch, w.strategies()+"/"+url.PathEscape(own.ID), w.source.TokenFile, patch, nil)
	var r *refusal
	if failed != nil && (!errors.As(failed, &r) || r.status < 500 && r.status != http.StatusNotFound) {
		return 0, failed
	}
	after, err := w.read(ctx, w.key) // a test that fails is answered 500, as a fault is: what stands there tells
	if err != nil {
		return 0, errors.Join(failed, err)
	}
	return after.revision(), w.landed(after, own, rollout, failed)
}

// landed judges what stands there after a patch, which may have failed.
func (w write) landed(after state, own *strategy, rollout any, failed error) error {
	now, _ := after.own()
	switch {
	case now == nil || now.ID != own.ID:
		return flags.ErrConflict
	case now.Title == w.title && now.Parameters["rollout"] == rollout:
		return nil
	case failed != nil && now.Title == own.Title && now.Parameters["rollout"] == own.Parameters["rollout"]:
		return failed
	default:
		return flags.ErrConflict
	}
}
