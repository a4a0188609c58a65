package unleash

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/url"

	"github.com/serin-cd/serin/flags"
)

// Unleash is a project's flags in one environment of Unleash.
type Unleash struct {
	source flags.Source
	client *http.Client
}

// ErrNeedsApproval is Unleash's refusal of a direct change: the environment has change requests, or the token lacks the
// right. Trying again does not help.
var ErrNeedsApproval = errors.New("the change needs approval: let Serin's token skip change requests, or do not require them in this environment; or the token lacks the right")

var (
	_ flags.Store     = (*Unleash)(nil)
	_ flags.Confirmer = (*Unleash)(nil)
)

// New takes a source of kind [flags.Unleash]. The client may be nil. Tokens are read from their files at each use.
func New(source flags.Source, client *http.Client) (*Unleash, error) {
	switch {
	case source.Kind != flags.Unleash:
		return nil, fmt.Errorf("open Unleash: the source is of kind %q", source.Kind)
	case source.URL == "" || source.Project == "" || source.Environment == "" || source.TokenFile == "" || source.ReadKeyFile == "":
		return nil, errors.New("open Unleash: URL, project, environment and the files of both tokens are needed")
	case client == nil:
		client = &http.Client{}
	}
	return &Unleash{source, client}, nil
}

// CheckShare refuses shares (in basis points) that Unleash cannot give: its rollout is in whole percents.
func CheckShare(share int) error {
	if share%100 != 0 {
		return fmt.Errorf("%d.%02d %% is not to be had in Unleash: use whole percents", share/100, share%100)
	}
	return nil
}

// Get is the flag as flagd would define it: what the environment serves, and the mark in the title of Serin's strategy.
func (u *Unleash) Get(ctx context.Context, key string) (flags.Flag, uint64, error) {
	s, err := u.read(ctx, key)
	if err != nil {
		return flags.Flag{}, 0, fmt.Errorf("read flag %s in Unleash: %w", key, err)
	}
	f, err := s.image(name(key))
	return f, s.revision(), err
}

// read asks for the feature, since an archived one is still found in its environments.
func (u *Unleash) read(ctx context.Context, key string) (state, error) {
	var f feature
	if err := u.call(ctx, http.MethodGet, u.feature(key), u.source.TokenFile, nil, &f); err != nil {
		return state{}, err
	}
	for _, s := range f.Environments {
		if s.Name == u.source.Environment && f.Name == name(key) && !f.Archived {
			return s.sorted(), nil
		}
	}
	return state{}, fmt.Errorf("%w: Unleash has no environment %q for it in project %q", flags.ErrNotFound, u.source.Environment, u.source.Project)
}

func (u *Unleash) feature(key string) string {
	return u.source.URL + "/api/admin/projects/" + url.PathEscape(u.source.Project) + "/features/" + url.PathEscape(name(key))
}

func (u *Unleash) environment(key string) string {
	return u.feature(key) + "/environments/" + url.PathEscape(u.source.Environment)
}

// name is what Unleash calls the flag; which environment is meant is the source's business.
func name(key string) string {
	_, key = flags.SplitKey(key)
	return key
}
