package lab

import (
	"net/http"
	"slices"

	"github.com/vmware/govmomi/simulator"
	"github.com/vmware/govmomi/vim25/soap"
	"github.com/vmware/govmomi/vim25/types"
)

// sessions returns the SOAP sessions that are open.
func (vc *VC) sessions() []types.UserSession {
	// The simulator lists its sessions only in the view that a session has of the manager.
	view := simulator.Session{Registry: simulator.NewRegistry(), Map: vc.Map()}
	return view.Get(*vc.Model.ServiceContent.SessionManager).(*simulator.SessionManager).SessionList
}

// session returns the SOAP session that a request belongs to, if it is valid.
func (vc *VC) session(r *http.Request) *types.UserSession {
	c, err := r.Cookie(soap.SessionCookieName)
	if err != nil {
		return nil
	}
	for _, s := range vc.sessions() {
		if s.Key == c.Value {
			return &s
		}
	}
	return nil
}

// open reports whether the SOAP session of that key is.
func (vc *VC) open(key string) bool {
	return slices.ContainsFunc(vc.sessions(), func(s types.UserSession) bool { return s.Key == key })
}

// expire ends the session that a request belongs to, as the idle timeout or an administrator does.
func (vc *VC) expire(r *http.Request) {
	vc.rest.set(restSessionID(r), false)
	if s := vc.session(r); s != nil {
		vc.terminate(s.Key)
	}
}

// endSessions ends every session, as a restart of the vCenter's services does.
func (vc *VC) endSessions() {
	vc.rest.forget()
	ctx := vc.newCtx()
	for _, s := range vc.sessions() {
		vc.Map().SessionManager().TerminateSession(ctx, &types.TerminateSession{SessionId: []string{s.Key}})
	}
}

// authorized reports whether a request that is not SOAP may be answered: it carries a session, or the name and the password.
func (vc *VC) authorized(r *http.Request) bool {
	if user, pass, ok := r.BasicAuth(); ok {
		return user == vc.Spec.Username && pass == vc.Spec.Password
	}
	return vc.session(r) != nil
}
