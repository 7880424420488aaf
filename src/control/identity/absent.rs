//! What is outside of what is served: cells, MCP tools, SCIM and the vendor's own support access. The
//! operations are there, so that a client is told so, and answer 501.

use crate::control::plane::Plane;
use crate::control::problem::{Code, Problem, ProblemDetails};
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

/// Declares operations that answer 501: the function, method, path, operation id, tag, and the summary.
macro_rules! absent {
    ($($name:ident: $method:ident $path:literal $operation:literal $tag:literal $(($($parameter:literal),+))?;)*) => {
        $(
            /// Not implemented
            ///
            /// Outside of what is served; every call is answered with 501.
            #[utoipa::path($method, path = $path, operation_id = $operation, tag = $tag,
                $(params($(($parameter = String, Path, description = "Of no effect")),+),)?
                responses((status = 501, body = ProblemDetails, content_type = "application/problem+json", description = "Outside of what is served")),
                extensions(("x-status" = json!("NOT IMPLEMENTED"))))]
            async fn $name() -> Problem {
                Problem::of(Code::NotImplemented).detail(concat!($operation, " is outside of what is served here."))
            }
        )*
    };
}

absent! {
    support_history: get "/identity/api/authentication/support" "GetSupportAccessHistory" "Authentication";
    grant_support: post "/identity/api/authentication/support" "GrantSupportAccess" "Authentication";
    end_support: delete "/identity/api/authentication/support" "InvalidateSupportAccess" "Authentication";
    support_roles: get "/identity/api/authentication/support-roles" "GetSupportRoles" "Authentication";
    accept_cell: post "/identity/api/cellmanagement/acceptattachment" "AcceptCellAttachment" "CellManagement";
    set_attaching_key: put "/identity/api/cellmanagement/attachingkey" "SetAttachingKey" "CellManagement";
    rotate_attaching_key: put "/identity/api/cellmanagement/attachingkey/rotate" "RotateAttachingKey" "CellManagement";
    detach_cell: put "/identity/api/cellmanagement/detach" "DetachParentCell" "CellManagement";
    parent_cell: get "/identity/api/cellmanagement/parentcell" "GetCellParentStatus" "CellManagement";
    set_parent_cell: put "/identity/api/cellmanagement/parentcell" "SetParentCell" "CellManagement";
    set_primary_domain: put "/identity/api/cellmanagement/primarydomain" "SetPrimaryDomain" "CellManagement";
    remove_primary_domain: delete "/identity/api/cellmanagement/primarydomain" "RemovePrimaryDomain" "CellManagement";
    refuse_cell: post "/identity/api/cellmanagement/refuseattachment" "RefuseCellAttachment" "CellManagement";
    rotate_domain_keys: post "/identity/api/cellmanagement/rotatedomainkeys" "RotateDomainKeys" "CellManagement";
    add_scim: put "/identity/api/identityprovider/scim" "AddScim" "IdentityProvider";
    remove_scim: delete "/identity/api/identityprovider/scim" "RemoveScim" "IdentityProvider";
    mcp_tools: get "/identity/api/mcptools" "ListMcpTools" "MCPTools";
    mcp_tool: get "/identity/api/mcptools/{scope}/{code}" "GetMcpTool" "MCPTools" ("scope", "code");
    create_mcp_tool: post "/identity/api/mcptools/{scope}/{code}" "CreateMcpTool" "MCPTools" ("scope", "code");
    update_mcp_tool: put "/identity/api/mcptools/{scope}/{code}" "UpdateMcpTool" "MCPTools" ("scope", "code");
    remove_mcp_tool: delete "/identity/api/mcptools/{scope}/{code}" "DeleteMcpTool" "MCPTools" ("scope", "code");
}

pub(super) fn routes() -> OpenApiRouter<Plane> {
    OpenApiRouter::new()
        .routes(routes!(support_history, grant_support, end_support))
        .routes(routes!(support_roles))
        .routes(routes!(accept_cell))
        .routes(routes!(set_attaching_key))
        .routes(routes!(rotate_attaching_key))
        .routes(routes!(detach_cell))
        .routes(routes!(parent_cell, set_parent_cell))
        .routes(routes!(set_primary_domain, remove_primary_domain))
        .routes(routes!(refuse_cell))
        .routes(routes!(rotate_domain_keys))
        .routes(routes!(add_scim, remove_scim))
        .routes(routes!(mcp_tools))
        .routes(routes!(mcp_tool, create_mcp_tool, update_mcp_tool, remove_mcp_tool))
}
