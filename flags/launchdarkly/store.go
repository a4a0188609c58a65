package launchdarkly

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"reflect"
	"slices"

	"github.com/serin-cd/serin/flags"
)

// Where LaunchDarkly is, unless the source says otherwise.
const (
	defaultAPI       = "https://app.launchdarkly.com"
	defaultClientSDK = "https://clientsdk.launchdarkly.com"
)

// ErrNeedsApproval is LaunchDarkly's refusal of a direct change, where the environment requires approvals. Trying again
// does not help.
var ErrNeedsApproval = errors.New("the environment needs approvals: let Serin's token bypass them, or do not require them for this flag")

// Store is a flags.Store and a flags.Confirmer for one environment of a LaunchDarkly project.
type Store struct {
	http         *http.Client
	api, eval    string
	project, env string
	tokenFile    string
	clientSideID string
}

var (
	_ flags.Store     = (*Store)(nil)
	_ flags.Confirmer = (*Store)(nil)
)

// New is a store for the source. It calls nobody.
func New(src flags.Source, client *http.Client) (*Store, error) {
	s := &Store{
		http: client, api: src.URL, eval: src.ReadURL,
		project: src.Project, env: src.Environment, tokenFile: src.TokenFile, clientSideID: src.ReadKey,
	}
	if s.api == "" {
		s.api = defaultAPI
	}
	if s.eval == "" {
		s.eval = defaultClientSDK
	}
	for name, value := range map[string]string{
		"project": s.project, "environment": s.env, "token_file": s.tokenFile, "client_side_id": s.clientSideID,
	} {
		if value == "" {
			return nil, fmt.Errorf("flags in LaunchDarkly: %s is missing", name)
		}
	}
	if len(propertyKey(s.env)) > propertyCharacters {
		return nil, fmt.Errorf("flags in LaunchDarkly: the environment's key %q is too long for the custom property %q", s.env, propertyKey(s.env))
	}
	return s, nil
}

// Get is the flag's image and its revision.
func (s *Store) Get(ctx context.Context, key string) (flags.Flag, uint64, error) {
	v, f, err := s.read(ctx, key)
	return f, v.revision(), err
}

func (s *Store) read(ctx context.Context, key string) (view, flags.Flag, error) {
	_, name := flags.SplitKey(key)
	var answer wireFlag
	err := s.admin(ctx, http.MethodGet, s.path(name)+"?env="+url.QueryEscape(s.env), nil, &answer)
	var v view
	if err == nil {
		v, err = look(answer, s.env)
	}
	if err != nil {
		return view{}, flags.Flag{}, fmt.Errorf("read flag %s: %w", key, notFound(err))
	}
	f, err := v.image(name)
	if err != nil {
		return view{}, flags.Flag{}, fmt.Errorf("read flag %s: %w", key, err)
	}
	return v, f, nil
}

func (s *Store) path(name string) string {
	return "/api/v2/flags/" + url.PathEscape(s.project) + "/" + url.PathEscape(name)
}

func notFound(err error) error {
	var refused statusError
	if errors.As(err, &refused) && refused.status == http.StatusNotFound {
		return fmt.Errorf("%w in LaunchDarkly: %w", flags.ErrNotFound, err)
	}
	return err
}

// Update makes LaunchDarkly serve what the image says. It creates no flag: a person does, with what belongs to it.
func (s *Store) Update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	next, err := s.update(ctx, key, f, revision)
	if err != nil {
		return 0, fmt.Errorf("write flag %s at revision %d: %w", key, revision, err)
	}
	return next, nil
}

func (s *Store) update(ctx context.Context, key string, f flags.Flag, revision uint64) (uint64, error) {
	v, now, err := s.read(ctx, key)
	switch {
	case errors.Is(err, flags.ErrNotFound) && revision == 0:
		return 0, fmt.Errorf("%w: Serin creates no flag in LaunchDarkly; create it there", err)
	case errors.Is(err, flags.ErrNotFound):
		return 0, flags.ErrConflict
	case err != nil:
		return 0, err
	case v.revision() != revision:
		return 0, flags.ErrConflict
	}
	if v, err = s.addVersions(ctx, key, v, now, f); err != nil {
		return 0, err
	}
	p, environment, err := s.plan(v, now, f)
	if err != nil || len(p.Instructions) == 0 {
		return v.revision(), err
	}
	if err := s.patch(ctx, f, p, environment); err != nil {
		return 0, err
	}
	return s.landed(ctx, key, f, v, p)
}

// plan is the patch that makes the image so, and how many of its instructions are the environment's.
func (s *Store) plan(v view, now, next flags.Flag) (patch, int, error) {
	p := patch{EnvironmentKey: s.env, Comment: comment(next.Mark()), kill: next.Mark().Killed}
	steps, err := v.steps(now, next)
	if err != nil {
		return patch{}, 0, err
	}
	notes, err := v.notes(s.env, next)
	p.Instructions = slices.Concat(steps, notes)
	return p, len(steps), err
}

// addVersions adds the variations that the image has and LaunchDarkly has not: a share needs their ids.
func (s *Store) addVersions(ctx context.Context, key string, v view, now, next flags.Flag) (view, error) {
	steps, err := v.missing(next)
	if err != nil || len(steps) == 0 {
		return v, err
	}
	p := patch{EnvironmentKey: s.env, Comment: comment(next.Mark()), Instructions: steps, kill: next.Mark().Killed}
	if err := s.send(ctx, next, p); err != nil {
		return view{}, err
	}
	after, served, err := s.read(ctx, key)
	if err == nil && !(serveSame(now, served) && reflect.DeepEqual(now.Mark(), served.Mark())) {
		err = flags.ErrConflict
	}
	return after, err
}

// patch sends a patch. A kill whose notes are refused, as the token may not write custom properties, is sent without.
func (s *Store) patch(ctx context.Context, f flags.Flag, p patch, environment int) error {
	err := s.send(ctx, f, p)
	var refused statusError
	if !p.kill || environment == 0 || environment == len(p.Instructions) || !errors.As(err, &refused) ||
		refused.status != http.StatusBadRequest && refused.status != http.StatusForbidden {
		return err
	}
	p.Instructions = p.Instructions[:environment]
	if again := s.send(ctx, f, p); again != nil {
		return again
	}
	return fmt.Errorf("the flag is off, but Serin's notes are not on it: %w", err)
}

func (s *Store) send(ctx context.Context, f flags.Flag, p patch) error {
	path := s.path(f.Key())
	if p.kill {
		path += "?ignoreConflicts=true" // a pending change of somebody else does not stop a kill
	}
	err := s.admin(ctx, http.MethodPatch, path, p, nil)
	var refused statusError
	switch {
	case errors.Is(err, ErrNeedsApproval):
		return fmt.Errorf("%w (%w)", ErrNeedsApproval, err)
	case !p.kill && errors.As(err, &refused) && refused.status == http.StatusBadRequest:
		return fmt.Errorf("%w (a scheduled change or an approval request may be pending for the flag)", err)
	case errors.As(err, &refused) && refused.status == http.StatusConflict:
		return fmt.Errorf("%w: %w", flags.ErrConflict, err)
	}
	return err
}

// landed reads the flag again, in a call of its own, and says whether our write stands and was the only one.
func (s *Store) landed(ctx context.Context, key string, f flags.Flag, before view, p patch) (uint64, error) {
	wait := firstWait
	for try := 1; ; try++ {
		after, served, err := s.read(ctx, key)
		if err != nil {
			return 0, err
		}
		stands := (serveSame(f, served) || p.kill && after.isOff(f)) && reflect.DeepEqual(f.Mark(), served.Mark())
		switch {
		case stands && !p.kill && after.Version > before.Version+1:
			return 0, fmt.Errorf("%w: during our write the version went from %d to %d, and somebody's change is overwritten",
				flags.ErrStranger, before.Version, after.Version)
		case stands:
			return after.revision(), nil
		case after.revision() != before.revision() || try == 5:
			return 0, flags.ErrConflict
		}
		if err := pause(ctx, wait); err != nil { // a read may come from a copy that is behind
			return 0, err
		}
		wait *= 2
	}
}
