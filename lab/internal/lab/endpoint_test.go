package lab

import (
	"net/http/httptest"
	"slices"
	"strings"
	"testing"
)

// A rule names the VM that a call registers, whichever client wrote the call: pyVmomi gives optional fields attributes.
func TestARuleMeansTheVMThatIsRegistered(t *testing.T) {
	vc := start(t, nil).source.vc
	for fields, want := range map[string]string{
		`<path>[old-fc-01] app01/app01.vmx</path>`:                                               "app01",
		`<path>[old-fc-01] a/b.vmx</path><name>app01</name>`:                                     "app01",
		`<path versionId="6.0">[old-fc-01] a/b.vmx</path><name versionId="6.0">é &amp; x</name>`: "é & x",
	} {
		body := `<Envelope><Body><RegisterVM_Task xmlns="urn:vim25"><_this type="Folder">` + vc.Model.ServiceContent.RootFolder.Value +
			`</_this>` + fields + `</RegisterVM_Task></Body></Envelope>`
		q := vc.parse(httptest.NewRequest("POST", "/sdk", strings.NewReader(body)), []byte(body))
		if q.method != "RegisterVM_Task" || !slices.Contains(q.objects, want) {
			t.Errorf("%s: %+v", fields, q.objects)
		}
	}
}
