# Makes wasmcached a service of Windows that starts with the machine. In PowerShell, as administrator:
#     .\install-service.ps1 -Program C:\wasmcached\wasmcached.exe -Options '-m 1024'
# To remove it: Stop-Service wasmcached; sc.exe delete wasmcached
param(
    [Parameter(Mandatory = $true)] [string] $Program,
    [string] $Options = ''
)
$ErrorActionPreference = 'Stop'
$path = (Resolve-Path $Program).Path
# Checks the flags first: the service manager reports a number only.
$words = $Options -split ' ' | Where-Object { $_ }
& $path @words --print-config | Out-Null
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
New-Service -Name wasmcached -DisplayName wasmcached -StartupType Automatic `
    -Description 'A memcached server whose engine is a WebAssembly guest' `
    -BinaryPathName "`"$path`" --service $Options"
# The service runs as an account with few rights. It must be able to read files that flags name, such as a key.
sc.exe config wasmcached obj= 'NT AUTHORITY\LocalService' | Out-Null
if ($LASTEXITCODE -ne 0) { exit $LASTEXITCODE }
sc.exe failure wasmcached reset= 86400 actions= restart/1000 | Out-Null
Start-Service wasmcached
